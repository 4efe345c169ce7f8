"""Ranks of methods with their intervals, the front of gap and cost, ranks over boards; by hand-made rows."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lethe.results import Store, load

Confirm = Callable[..., None]

NEAR = (0.010, 0.012, 0.011, 0.010, 0.012)
NEARLY = (0.012, 0.010, 0.011, 0.012, 0.011)
FAR = (0.110, 0.112, 0.111, 0.110, 0.112)
FARTHEST = (0.210, 0.212, 0.211, 0.210, 0.212)


def record(confirm: Confirm, rows: dict[str, Sequence[float | None]], **changes: Any) -> None:
    for row, gaps in rows.items():
        confirm(row, gaps, **changes)


def ranks_of(store: Store) -> dict[str, dict[str, Any]]:
    return {row["row"]: row for row in load(store.root, "ranks").to_pylist()}


def test_a_rank_lies_behind_all_that_are_closer_and_before_all_that_are_farther(store: Store, confirm: Confirm) -> None:
    record(confirm, {"salun": NEAR, "scrub": NEARLY, "fine_tune": FAR, "amun": FARTHEST})
    ranks = ranks_of(store)
    assert {row: (one["rank"], one["rank_low"], one["rank_high"]) for row, one in ranks.items()} == {
        "salun": (1, 1, 2),
        "scrub": (2, 1, 2),
        "fine_tune": (3, 3, 3),
        "amun": (4, 4, 4),
    }
    assert list(ranks) == ["salun", "scrub", "fine_tune", "amun"]
    assert {(one["methods"], one["seeds"]) for one in ranks.values()} == {(4, 5)}


def test_original_oracle_and_untuned_controls_have_no_rank(store: Store, confirm: Confirm) -> None:
    record(confirm, {"oracle": NEAR, "original": FAR, "salun": NEAR, "salun random mask": FAR, "fine_tune": FAR})
    assert list(ranks_of(store)) == ["salun", "fine_tune"]


def test_a_method_that_lacks_a_gap_has_no_rank_and_takes_none(store: Store, confirm: Confirm) -> None:
    record(confirm, {"salun": FAR, "fine_tune": FARTHEST, "scrub": (*NEAR[:4], None)})
    assert {row: (one["rank"], one["methods"]) for row, one in ranks_of(store).items()} == {
        "salun": (1, 2),
        "fine_tune": (2, 2),
    }


def test_two_seeds_give_a_rank_without_an_interval(store: Store, confirm: Confirm) -> None:
    record(confirm, {"salun": NEAR[:2], "fine_tune": FAR[:2]})
    assert {(one["rank_low"], one["rank_high"]) for one in ranks_of(store).values()} == {(None, None)}


def test_the_share_of_seeds_that_a_method_was_best_on_divides_a_seed_among_equals(
    store: Store, confirm: Confirm
) -> None:
    record(confirm, {"salun": (0.1, 0.2, 0.1, 0.4), "fine_tune": (0.1, 0.1, 0.2, 0.3), "scrub": (0.5, 0.5, 0.5, 0.5)})
    shares = {row: one["best_share"] for row, one in ranks_of(store).items()}
    assert shares == {"salun": 0.375, "fine_tune": 0.625, "scrub": 0.0}


def test_on_the_front_are_those_that_no_other_beats_in_gap_and_cost(store: Store, confirm: Confirm) -> None:
    costs = {"salun": 0.3, "scrub": 0.1, "fine_tune": 0.2, "amun": 0.05}
    for (row, share), gap in zip(costs.items(), (0.01, 0.02, 0.03, 0.04), strict=True):
        confirm(row, (gap, gap, gap), compute_share=share)
    assert {row: one["on_front"] for row, one in ranks_of(store).items()} == {
        "salun": True,
        "scrub": True,
        "fine_tune": False,
        "amun": True,
    }


def test_of_two_that_are_equal_in_gap_and_cost_both_are_on_the_front(store: Store, confirm: Confirm) -> None:
    for row in ("salun", "scrub"):
        confirm(row, NEAR, compute_share=0.1)
    assert [(one["rank"], one["on_front"]) for one in ranks_of(store).values()] == [(1, True), (1, True)]


def test_without_counted_images_nobody_is_on_a_front(store: Store, confirm: Confirm) -> None:
    record(confirm, {"salun": NEAR, "fine_tune": FAR})
    assert {one["on_front"] for one in ranks_of(store).values()} == {None}


def test_mean_ranks_are_over_the_boards_of_a_study_among_methods_that_all_of_them_rank(
    store: Store, confirm: Confirm
) -> None:
    record(confirm, {"salun": NEAR, "scrub": FAR, "fine_tune": FARTHEST}, scenario="q1", dataset="a")
    record(confirm, {"salun": FARTHEST, "scrub": FAR, "amun": NEAR}, scenario="q2", dataset="b")
    record(confirm, {"salun": NEAR, "scrub": FAR}, scenario="q3", dataset="a", study="other")
    rows = load(store.root, "mean_ranks").to_pylist()
    assert [(one["study"], one["row"], one["mean_rank"], one["best_rank"], one["worst_rank"]) for one in rows] == [
        ("s", "salun", 1.5, 1.0, 2.0),
        ("s", "scrub", 1.5, 1.0, 2.0),
    ]
    assert {(one["methods"], one["scenarios"]) for one in rows} == {(2, 2)}
    assert {one["row"]: one["unbeaten"] for one in rows} == {"salun": 1, "scrub": 0}


def test_equal_gaps_share_the_mean_of_their_ranks_over_boards(store: Store, confirm: Confirm) -> None:
    for scenario in ("q1", "q2"):
        record(confirm, {"salun": NEAR, "scrub": NEAR, "amun": FAR}, scenario=scenario)
    means = {one["row"]: one["mean_rank"] for one in load(store.root, "mean_ranks").to_pylist()}
    assert means == {"salun": 1.5, "scrub": 1.5, "amun": 3.0}


@pytest.mark.parametrize("view", ["ranks", "mean_ranks"])
def test_one_method_alone_is_not_ranked(view: str, store: Store, confirm: Confirm) -> None:
    record(confirm, {"original": FAR, "salun": NEAR}, scenario="q1")
    record(confirm, {"original": FAR, "salun": NEAR}, scenario="q2")
    assert load(store.root, view).to_pylist() == []
