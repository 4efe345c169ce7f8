"""After how many requests a method pays: tuning, models, measuring and unlearnings against retrainings."""

from collections.abc import Callable
from typing import Any

import pytest

from lethe.report import leaderboard
from lethe.report._break_even import break_even_cells, break_even_in_words
from lethe.results import ArtifactRow, Store, TrialRow, load

Confirm = Callable[..., None]

RETRAIN: dict[str, Any] = {"seconds_retrain": 90.0, "images_retrain": 900}
CHOSEN = {"method_search": "c", "trial_id": "t0", "tuning_trials": 2, "tuning_seconds": 240.0}


@pytest.fixture
def compare(store: Store, confirm: Confirm, make: Callable[..., Any]) -> Callable[..., None]:
    """Records original, oracles and a method on three seeds, and the two trials of its search."""

    def record(seconds: float, images: int, **changes: Any) -> None:
        confirm("original", (0.1, 0.1, 0.1), seconds_unlearn=0.0, images_unlearn=0, **RETRAIN)
        confirm("oracle", (0.0, 0.0, 0.0), seconds_unlearn=90.0, images_unlearn=900, **RETRAIN)
        own = {"seconds_unlearn": seconds, "images_unlearn": images, **RETRAIN, **CHOSEN, **changes}
        confirm("salun", (0.05, 0.05, 0.05), **own)
        for number, copied in enumerate((None, None, "t0")):
            trial = {"trial_id": f"t{number}", "number": number, "copied_from": copied, "compute_share": 0.25}
            store.append([make(TrialRow, **trial, training_seeds=[0, 4])])

    return record


def only(store: Store) -> dict[str, Any]:
    [row] = load(store.root, "break_even").to_pylist()
    return dict(row)


def test_it_is_the_first_number_of_requests_at_which_all_parts_cost_less(
    store: Store, compare: Callable[..., None]
) -> None:
    compare(30.0, 300)
    row = only(store)
    assert row["models"] == 5, "three oracles, and the originals of all seeds but one"
    assert row["seconds_models"] == pytest.approx(3 * 90 + 2 * 100), "an original has a ninth more images"
    assert row["images_models"] == pytest.approx(3 * 900 + 2 * 1000)
    assert row["seconds_confirming"] == pytest.approx(9 * 5.5)
    setup = row["seconds_tuning"] + row["seconds_models"] + row["seconds_confirming"]
    n = row["requests"]
    assert setup + n * 30 < n * 90
    assert setup + (n - 1) * 30 >= (n - 1) * 90
    assert row["requests_tuning"] == 240 // 60 + 1
    assert row["images_tuning"] == pytest.approx(2 * 0.25 * 2 * 900), "a repeated setting costs nothing"
    images = row["images_tuning"] + row["images_models"] + row["images_confirming"]
    assert row["requests_images"] == images // 600 + 1


def test_what_takes_longer_than_retraining_never_pays(store: Store, compare: Callable[..., None]) -> None:
    compare(90.0, 300)
    row = only(store)
    assert (row["saves"], row["requests"], row["requests_tuning"]) == (False, None, None)
    assert row["requests_images"] is not None
    [board] = leaderboard(store.root)
    assert break_even_in_words(board) == (
        "Break-even of salun: never, since an unlearning took 90.0 s, and a retraining 90.0 s."
    )
    assert break_even_cells(board.break_even[0])[-3:] == ("never", "11", "never")


def test_the_sentence_has_the_parts_and_what_it_rests_on(store: Store, compare: Callable[..., None]) -> None:
    compare(30.0, 300)
    [board] = leaderboard(store.root)
    words = break_even_in_words(board)
    for part in ("tuning (4.0 min)", "5 models", "13 requests", "5 requests", "kept for later requests"):
        assert part in words


def test_models_that_only_audits_read_count_too(
    store: Store, compare: Callable[..., None], make: Callable[..., Any]
) -> None:
    compare(30.0, 300)
    before = only(store)
    further = {"kind": "oracle", "scenario": "q", "training_seed": 9, "seconds_train": 90.0, "images_trained": 900}
    store.append([make(ArtifactRow, artifact_id="further", **further)])
    after = only(store)
    assert after["models"] == before["models"] + 1
    assert after["seconds_models"] == before["seconds_models"] + 90


def test_a_setting_from_a_file_has_no_known_images_of_tuning(store: Store, compare: Callable[..., None]) -> None:
    compare(30.0, 300, tuned_in="before", tuned_data_hash="d")
    row = only(store)
    assert (row["images_tuning"], row["requests_images"]) == (None, None)
    assert row["requests"] is not None
