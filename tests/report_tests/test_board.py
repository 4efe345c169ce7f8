"""The confirmed comparison: means, intervals, the noise floor and the choice, by hand."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from math import sqrt
from typing import Any

import pytest
from rich.console import Console

from lethe.report import Board, leaderboard, print_leaderboard
from lethe.results import ConfirmationRow, Store
from lethe.results.views import ContrastRow, LeaderboardRow

T_975_AT_2 = 4.302652729911275
"""Student's t, 97.5 %, two degrees of freedom, from a table."""

SEEDS = (1, 2, 3)


@pytest.fixture
def confirm(store: Store, make: Callable[..., Any]) -> Callable[..., None]:
    """Records one row of the comparison on the three seeds, with one gap a seed."""

    def record(name: str, gaps: tuple[float | None, ...], **changes: Any) -> None:
        for seed, gap in zip(SEEDS, gaps, strict=False):
            setting = changes.get("setting", json.dumps({"name": name}))
            part = f"{name}-{setting}-{seed}-{changes.get('question', 'q')}".encode().hex()
            row = {"row": name, "training_seed": seed, "gap": gap, "setting": setting, "confirmation_id": part}
            store.append([make(ConfirmationRow, **row | {"method": name.split()[0]} | changes)])

    return record


@pytest.fixture
def oracles(store: Store, make: Callable[..., Any]) -> Callable[..., None]:
    """Records the oracles' rows, each compared with those of the other seeds."""

    def record(gaps: tuple[float, ...]) -> None:
        for seed, gap in zip(SEEDS, gaps, strict=True):
            setting = json.dumps({"compared_with": [other for other in SEEDS if other != seed]})
            row = {"row": "oracle", "method": "oracle", "training_seed": seed, "gap": gap, "ua": seed / 10}
            row["confirmation_id"] = f"oracle-{seed}"
            store.append([make(ConfirmationRow, setting=setting, **row)])

    return record


def lines_of(store: Store) -> dict[str, LeaderboardRow]:
    (board,) = leaderboard(store.place)
    return {line.row: line for line in board.lines}


def printed(boards: list[Board], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    with console.capture() as capture:
        print_leaderboard(boards, console)
    return capture.get()


def test_a_gap_is_the_mean_over_seeds_with_its_t_interval(store: Store, confirm: Callable[..., None]) -> None:
    confirm("salun", (0.01, 0.02, 0.06))
    line = lines_of(store)["salun"]
    reach = T_975_AT_2 * sqrt((0.02**2 + 0.01**2 + 0.03**2) / 2) / sqrt(3)
    assert (line.gap, line.gap_low, line.gap_high) == pytest.approx((0.03, 0.03 - reach, 0.03 + reach))


def test_the_noise_floor_takes_every_seeds_oracle_and_claims_no_interval(
    store: Store, oracles: Callable[..., None]
) -> None:
    oracles((0.01, 0.02, 0.06))
    line = lines_of(store)["oracle"]
    assert (line.seeds, line.ua, line.gap) == (3, pytest.approx(0.2), pytest.approx(0.03))
    assert (line.gap_low, line.gap_high) == (None, None)


def test_rows_whose_interval_reaches_the_floor_are_marked_and_the_oracle_is_not(
    store: Store, confirm: Callable[..., None], oracles: Callable[..., None]
) -> None:
    oracles((0.01, 0.02, 0.06))
    confirm("original", (0.30, 0.31, 0.32))
    confirm("salun", (0.01, 0.05, 0.06))
    confirm("fine_tune", (0.040, 0.041, 0.042))
    assert {name: line.at_floor for name, line in lines_of(store).items()} == {
        "original": False,
        "oracle": False,
        "fine_tune": False,
        "salun": True,
    }


def test_the_original_and_the_oracle_come_first_and_controls_follow_their_method(
    store: Store, confirm: Callable[..., None], oracles: Callable[..., None]
) -> None:
    for name in ("salun random mask", "salun density 1.0", "salun", "fine_tune", "original"):
        confirm(name, (0.1, 0.2, 0.3))
    oracles((0.1, 0.1, 0.1))
    assert list(lines_of(store)) == [
        "original",
        "oracle",
        "fine_tune",
        "salun",
        "salun density 1.0",
        "salun random mask",
    ]


def test_an_extended_search_replaces_the_choice_of_the_shorter_one(store: Store, confirm: Callable[..., None]) -> None:
    confirm("salun", (0.5, 0.5, 0.5), setting='{"lr": 0.1}', tuning_trials=10, tuning_seconds=60.0)
    later = datetime(2026, 11, 22, tzinfo=UTC)
    confirm("salun", (0.1, 0.1), setting='{"lr": 0.2}', tuning_trials=20, tuning_seconds=120.0, ended_at=later)
    line = lines_of(store)["salun"]
    assert (line.setting, line.seeds, line.gap) == ('{"lr": 0.2}', 2, pytest.approx(0.1))
    assert (line.tuning_trials, line.tuning_seconds) == (20, 120.0)


def test_of_rows_confirmed_again_the_newest_of_each_seed_counts(store: Store, confirm: Callable[..., None]) -> None:
    confirm("original", (0.3, 0.3, 0.3), setting="{}")
    confirm("original", (0.1,), setting='{"again": 1}', ended_at=datetime(2026, 12, 1, tzinfo=UTC))
    line = lines_of(store)["original"]
    assert (line.seeds, line.gap) == (3, pytest.approx((0.1 + 0.3 + 0.3) / 3))


def test_a_row_with_a_seed_that_diverged_has_no_gap_and_says_so(store: Store, confirm: Callable[..., None]) -> None:
    confirm("salun", (0.1, 0.2, None), status="diverged")
    assert lines_of(store)["salun"].gap is None
    assert "diverged" in printed(leaderboard(store.place), 120)


def test_one_seed_gives_a_mean_without_an_interval(store: Store, confirm: Callable[..., None]) -> None:
    confirm("salun", (0.123,))
    assert "12.3 " in printed(leaderboard(store.place), 120)
    assert "nan" not in printed(leaderboard(store.place), 120)


def test_each_question_and_each_study_has_its_own_board(store: Store, confirm: Callable[..., None]) -> None:
    confirm("salun", (0.1, 0.1, 0.1))
    confirm("salun", (0.2, 0.2, 0.2), question="other", arm="flip")
    confirm("salun", (0.3, 0.3, 0.3), study="other")
    assert [board.title.split(", forget")[0] for board in leaderboard(store.place)] == [
        "other · bloodmnist, augmentation none",
        "s · bloodmnist, augmentation flip",
        "s · bloodmnist, augmentation none",
    ]
    assert len(leaderboard(store.place, "other")) == 1
    assert leaderboard(store.place, "nothing") == []


def contrasts_of(store: Store) -> dict[tuple[str, str], ContrastRow]:
    (board,) = leaderboard(store.place)
    return {(one.first, one.second): one for one in board.contrasts}


def test_each_method_is_held_against_doing_nothing_and_its_own_controls_seed_by_seed(
    store: Store, confirm: Callable[..., None], oracles: Callable[..., None]
) -> None:
    oracles((0.01, 0.02, 0.06))
    confirm("original", (0.30, 0.20, 0.10), method="original")
    confirm("salun", (0.25, 0.16, 0.07))
    confirm("salun random mask", (0.24, 0.16, 0.08))
    confirm("fine_tune", (0.31, 0.21, 0.11))
    found = contrasts_of(store)
    assert list(found) == [("fine_tune", "original"), ("salun", "original"), ("salun", "salun random mask")]
    contrast = found["salun", "original"]
    reach = T_975_AT_2 * 0.01 / sqrt(3)
    assert (contrast.difference, contrast.low, contrast.high) == pytest.approx((-0.04, -0.04 - reach, -0.04 + reach))
    text = printed(leaderboard(store.place), 120)
    assert "salun - original: -4.0 [-6.5, -1.5], closer" in text
    assert "salun - salun random mask: +0.0 [-2.5, +2.5], not told apart" in text
    assert "fine_tune - original: +1.0 [+1.0, +1.0], farther" in text


def test_a_contrast_takes_the_seeds_that_both_rows_have(store: Store, confirm: Callable[..., None]) -> None:
    confirm("original", (0.30,), method="original")
    confirm("salun", (0.25, 0.15, 0.07))
    assert contrasts_of(store)["salun", "original"].difference == pytest.approx(-0.05)
    assert "salun - original: -5.0, from one seed" in printed(leaderboard(store.place), 120)


def test_a_row_with_a_seed_that_diverged_has_no_contrast(store: Store, confirm: Callable[..., None]) -> None:
    confirm("original", (0.30, 0.20, 0.10), method="original")
    confirm("salun", (0.25, None, 0.07))
    assert contrasts_of(store) == {}


@pytest.mark.parametrize("width", [100, 120])
def test_the_print_fits_the_terminal_and_cuts_no_number(
    width: int, store: Store, confirm: Callable[..., None], oracles: Callable[..., None]
) -> None:
    measures = {"ua": 0.9876, "ra": 0.9988, "ta": 0.9123, "mia": 0.8765}
    cost = {"seconds_unlearn": 123.4, "retrain_share": 0.125, "tuning_trials": 50, "tuning_seconds": 4321.0}
    oracles((0.01, 0.02, 0.03))
    confirm("original", (0.30, 0.31, 0.32), **measures)
    for name in ("salun", "salun density 1.0", "salun random mask"):
        confirm(name, (0.1, 0.2, 0.25), trial_id="s-0123-0014", **measures, **cost)
    text = printed(leaderboard(store.place), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for shown in ("oracle", "floor)", "18.3 [0.0, 37.3]", "98.8", "12.5", "50 in 4321 s", "s-0123-0014"):
        assert shown in text
    assert text.count("s-0123-0014") == 1
    assert "95 % interval over seeds" in " ".join(text.split())
