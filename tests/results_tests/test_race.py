"""The race over tuning seeds, as a rule over rows: who runs on the next seed, when a search ends, what it chose."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lethe.results import TrialRow
from lethe.results.race import standing_of, trials_allowed
from lethe.study import MethodSearch, expand, read_study
from unlearning.data import load

Rows = list[TrialRow]


@pytest.fixture
def search(write_study: Callable[..., Path]) -> Callable[..., MethodSearch]:
    """Makes a method search with these search options, on four tuning seeds if not told otherwise."""

    def make(tuning: Sequence[int] = (0, 4, 5, 6), **options: Any) -> MethodSearch:
        study = read_study(write_study(search=options, seeds={"tuning": list(tuning), "reporting": [1, 2]}))
        [method_search] = expand(study, {source: load(source) for source in study.data})
        return method_search

    return make


@pytest.fixture
def ended(make: Callable[..., TrialRow]) -> Callable[..., TrialRow]:
    """Makes the row of a trial that ended with these gaps, one for each seed of its round."""

    def row(of: MethodSearch, number: int, *gaps: float, at: int = 0, **changes: Any) -> TrialRow:
        values = {
            "method_search": of.fingerprint,
            "number": number,
            "round": at,
            "trial_id": f"t{number}-{at}",
            "training_seeds": list(of.rounds[at]),
            "gap": sum(gaps) / len(gaps) if gaps else None,
            "gap_per_seed": list(gaps),
            "setting": json.dumps({"lr": number}),
            "seconds_total": 1.0,
            "status": "done" if gaps else "diverged",
        }
        return make(TrialRow, **values | changes)

    return row


def test_the_best_third_runs_on_the_next_seed_once_every_setting_has_ended(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    nine = search(trials=9)
    rows = [ended(nine, number, 0.1 * (9 - number)) for number in range(9)]
    before = standing_of(nine, rows[:8])
    assert (before.due, before.left) == ((), 1 + 3 + 2 + 2)
    after = standing_of(nine, rows)
    assert after.due == ((8, 1), (7, 1), (6, 1))
    assert after.left == 3 + 2 + 2


def test_settings_are_promoted_by_the_mean_over_the_seeds_that_they_ran_on(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    nine = search(trials=9)
    rows = [ended(nine, number, 0.1 + 0.01 * number) for number in range(9)]
    rows += [ended(nine, number, gap, at=1) for number, gap in enumerate((0.30, 0.10, 0.20))]
    standing = standing_of(nine, rows)
    assert standing.due == ((1, 2), (2, 2))
    assert standing.chosen is not None
    assert standing.chosen.trial.number == 1
    assert standing.chosen.gaps == (0.11, 0.10)


def test_the_choice_is_among_the_settings_that_ran_on_most_seeds(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    """A lucky first seed is beaten by a setting that was measured on all of them."""
    four = search(tuning=(0, 4), trials=4)
    rows = [ended(four, number, gap) for number, gap in enumerate((0.3, 0.02, 0.1, 0.2))]
    assert standing_of(four, rows).chosen.trial.number == 1  # type: ignore[union-attr]
    rows += [ended(four, 1, 0.5, at=1), ended(four, 2, 0.1, at=1)]
    standing = standing_of(four, rows)
    assert standing.ended
    assert standing.chosen is not None
    assert standing.chosen.trial.number == 2
    assert standing.chosen.mean == pytest.approx(0.1)
    assert len(standing.rows) == 6


def test_a_steady_setting_wins_by_mean_plus_sd_and_loses_by_the_mean(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    for rule, winner in (("mean", 0), ("mean_plus_sd", 1)):
        two = search(tuning=(0, 4), trials=2, choose=rule)
        rows = [ended(two, 0, 0.01), ended(two, 1, 0.10), ended(two, 0, 0.15, at=1), ended(two, 1, 0.10, at=1)]
        assert standing_of(two, rows).chosen.trial.number == winner  # type: ignore[union-attr]


def test_a_setting_that_diverges_on_a_further_seed_is_out(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    three = search(trials=3)
    rows = [ended(three, number, 0.1 + 0.1 * number) for number in range(3)]
    rows += [ended(three, 0, at=1), ended(three, 1, at=1)]
    standing = standing_of(three, rows)
    assert standing.ended
    assert standing.chosen.trial.number == 2  # type: ignore[union-attr]


def test_what_did_not_finish_and_what_was_proposed_again_does_not_race(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    five = search(trials=5)
    rows = [
        ended(five, 0, 0.2),
        ended(five, 1, 0.1, status="stopped"),
        ended(five, 2),
        ended(five, 3, 0.2, setting='{"lr": 0}', copied_from="t0-0", seconds_total=0.0),
        ended(five, 4, 0.3),
    ]
    assert standing_of(five, rows).due == ((0, 1), (4, 1))


def test_a_single_setting_has_nobody_to_race_against(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    one = search(trials=1)
    standing = standing_of(one, [ended(one, 0, 0.1)])
    assert standing.ended
    assert standing.chosen is not None


def test_rows_of_an_extended_search_are_used_where_its_race_comes_by_them_again(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    three, six = search(tuning=(0, 4), trials=3), search(tuning=(0, 4), trials=6)
    rows = [ended(three, number, 0.3 + 0.1 * number) for number in range(3)]
    rows += [ended(three, 0, 0.3, at=1), ended(three, 1, 0.3, at=1)]
    assert standing_of(three, rows).ended
    rows += [ended(six, 3, 0.1), ended(six, 4, 0.6), ended(six, 5, 0.6)]
    extended = standing_of(six, rows)
    assert extended.due == ((3, 1),)
    assert [row.number for row in extended.raced] == [0]
    assert standing_of(three, rows).ended


def test_a_run_on_a_seed_counts_whatever_the_order_of_the_seeds_and_not_once_the_seed_is_gone(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    there, turned, gone = search(tuning=(0, 4, 5)), search(tuning=(0, 5, 4)), search(tuning=(0, 5))
    run = ended(there, 0, 0.1, at=1)
    rows: Rows = [ended(there, number, 0.1) for number in range(24)]
    assert standing_of(there, [*rows, run]).due[0] == (1, 1)
    assert standing_of(turned, [*rows, run]).due[0] == (0, 1)
    assert standing_of(gone, [*rows, run]).due[0] == (0, 1)


def test_without_racing_every_setting_runs_on_all_seeds_and_the_smallest_gap_wins(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    three = search(tuning=(0, 4), trials=3, racing=None)
    assert three.rounds == ((0, 4),)
    standing = standing_of(three, [ended(three, number, 0.3, 0.2 - 0.1 * (number == 1)) for number in range(3)])
    assert standing.ended
    assert standing.chosen.trial.number == 1  # type: ignore[union-attr]


def test_seconds_end_a_search_at_a_trial_that_the_rows_alone_say(search: Callable[..., MethodSearch]) -> None:
    """Of one seed round 0 has all seconds; trial n begins while trials 0 ... n - 1 - window took less."""
    alone = search(tuning=(0,), trials=20, window=2, seconds=10.0)
    seconds = dict.fromkeys(range(20), 3.0)
    assert trials_allowed(alone, {}) == 20
    assert trials_allowed(alone, dict.fromkeys(range(3), 3.0)) == 20
    assert trials_allowed(alone, dict.fromkeys(range(4), 3.0)) == 6
    assert trials_allowed(alone, seconds) == 6
    assert trials_allowed(search(tuning=(0,), trials=5, window=2, seconds=10.0), seconds) == 5


def test_of_a_budget_in_seconds_the_race_has_its_part(search: Callable[..., MethodSearch]) -> None:
    """9 / 13 of the runs of a race over three seeds that keeps one in three are those of round 0."""
    seconds = dict.fromkeys(range(100), 1.0)
    assert trials_allowed(search(tuning=(0, 4, 5), trials=100, window=1, seconds=13.0), seconds) == 9 + 1
    assert trials_allowed(search(tuning=(0, 4, 5), trials=100, window=1, seconds=13.0, racing=None), seconds) == 13 + 1


def test_the_best_epoch_is_that_of_the_smallest_mean_over_all_seeds_that_a_setting_ran_on(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    two = search(tuning=(0, 4), trials=2)
    rows = [
        ended(two, 0, 0.1, gap_per_epoch=[0.1, 0.2, 0.3], epochs_done=3),
        ended(two, 1, 0.2, gap_per_epoch=[0.4, 0.2, 0.3], epochs_done=3),
        ended(two, 0, 0.1, at=1, gap_per_epoch=[0.8, 0.3, 0.1], epochs_done=3),
        ended(two, 1, 0.2, at=1, gap_per_epoch=[0.4, 0.4, 0.2], epochs_done=3),
    ]
    chosen = standing_of(two, rows).chosen
    assert chosen is not None
    assert (chosen.trial.number, chosen.best_epoch, chosen.gaps) == (0, 3, (0.3, 0.1))
    early = standing_of(two, rows[:2]).chosen
    assert early is not None
    assert (early.trial.number, early.best_epoch) == (0, 1)


def test_with_several_objectives_settings_within_the_limits_and_on_the_front_race_and_one_of_them_is_chosen(
    search: Callable[..., MethodSearch], ended: Callable[..., TrialRow]
) -> None:
    def standing(rows: Rows, **options: Any) -> Any:
        return standing_of(search(tuning=(0, 4), trials=6, objectives=["gap", "compute"], **options), rows)

    six = search(tuning=(0, 4), trials=6, objectives=["gap", "compute"])
    shares = (0.9, 0.3, 0.4, 0.1, 0.5, 0.2)
    rows = [ended(six, number, 0.1 * (number + 1), compute_share=share) for number, share in enumerate(shares)]
    assert standing(rows).due == ((0, 1), (1, 1))
    assert standing(rows, limits={"compute": 0.2}).due == ((3, 1), (5, 1))
    raced = [ended(six, number, 0.5, at=1, compute_share=shares[number]) for number in (3, 5)]
    assert standing([*rows, *raced], limits={"compute": 0.2}).chosen.trial.number == 3
    assert standing([*rows, *raced], limits={"compute": 0.05}).chosen is None
