"""The answer in one sentence: it names the smallest gap, its ties and its seeds, and claims no more than the tests."""

from collections.abc import Callable

import pytest

from lethe.report import leaderboard
from lethe.report._headline import headline, overall
from lethe.results import Store

Confirm = Callable[..., None]

ORACLES = (0.00, 0.01, 0.03, 0.06, 0.10)
NOISE = (0.010, 0.012, 0.011, 0.010, 0.012)


def said(store: Store) -> str:
    [board] = leaderboard(store.root)
    return headline(board)


def level(mean: float, shift: int = 0) -> list[float]:
    return [mean + one for one in NOISE[shift:] + NOISE[:shift]]


def test_a_method_that_others_are_not_distinguished_from_is_tied_and_not_alone(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES)
    confirm("original", (0.90, 0.92, 0.90, 0.91, 0.90))
    for row, mean, shift in (("salun", 0.0, 0), ("scrub", 0.001, 1), ("ssd", 0.3, 2)):
        confirm(row, level(mean, shift))
    assert said(store) == (
        "salun has the smallest gap of 3 methods, tied with scrub, 1.1 points [1.0, 1.2] over 5 training seeds: closer "
        "than doing nothing (90.6); equivalent to retraining, within 1.0 points (+0.0 over its noise floor)."
    )


def test_a_method_that_is_closer_than_every_other_is_said_to_be(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES)
    confirm("original", (0.90, 0.92, 0.90, 0.91, 0.90))
    confirm("salun", level(0.1))
    confirm("ssd", level(0.3, 1))
    assert said(store) == (
        "salun has the smallest gap of 2 methods, each other one being farther, 11.1 points [11.0, 11.2] over 5 "
        "training seeds: closer than doing nothing (90.6); above the noise floor of retraining (+6.1)."
    )


def test_many_ties_are_counted(store: Store, confirm: Confirm) -> None:
    for number in range(7):
        confirm(f"method{number}", [0.1 + 0.001 * number, 0.2, 0.3 - 0.001 * number, 0.2])
    assert "smallest gap of 7 methods, tied with method1, method2, method3 and 3 more, 20.0 points" in said(store)


def test_too_few_seeds_rank_and_conclude_nothing(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES[:2])
    confirm("original", (0.9, 0.9))
    confirm("salun", (0.1, 0.2))
    confirm("ssd", (0.3, 0.4))
    assert said(store) == (
        "salun has the smallest gap of 2 methods, which too few seeds rank, 15.0 points over 2 training seeds: too few "
        "seeds to compare it with doing nothing (90.0); too few seeds to compare it with retraining."
    )


def test_one_method_is_no_winner(store: Store, confirm: Confirm) -> None:
    confirm("original", (0.10, 0.11, 0.12))
    confirm("oracle", ORACLES[:3])
    confirm("salun", (0.30, 0.32, 0.32))
    assert said(store).startswith(
        "salun has a gap of 31.3 points [28.5, 34.2] over 3 training seeds: farther than doing"
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((0.8, 0.81, 0.8, 0.8), "; by the audits a violation (1 of 1 statistic)"),
        ((0.5, 0.5, 0.51, 0.49), "; the audits detect no violation"),
    ],
)
def test_a_smallest_gap_does_not_hide_what_audits_find(
    found: tuple[float, ...], verdict: str, store: Store, audited: Confirm
) -> None:
    audited("original", (0.9, 0.91, 0.9, 0.91))
    audited("oracle", (0.5, 0.51, 0.49, 0.5))
    audited("salun", found)
    assert said(store).endswith(f"{verdict}.")


def test_audits_of_two_seeds_have_no_verdict(store: Store, audited: Confirm) -> None:
    for row, values in (("original", (0.9, 0.91)), ("oracle", (0.5, 0.51)), ("salun", (0.8, 0.81))):
        audited(row, values)
    assert said(store).endswith("; too few seeds for a verdict of the audits.")


def test_audits_that_would_not_find_originals_are_inconclusive(store: Store, audited: Confirm) -> None:
    audited("original", (0.5, 0.5, 0.51, 0.49))
    audited("oracle", (0.5, 0.51, 0.49, 0.5))
    audited("salun", (0.5, 0.5, 0.5, 0.51))
    assert said(store).endswith("; the audits are inconclusive.")


def test_a_control_that_is_closer_than_every_method_is_named(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.2, 0.2, 0.2))
    confirm("salun density 1.0", (0.1, 0.1, 0.1))
    confirm("salun random mask", (0.3, 0.3, 0.3))
    assert said(store).endswith("; the control salun density 1.0, untuned, has 10.0.")


@pytest.mark.parametrize("gaps", [(None, None, None), (0.1, None, 0.2)])
def test_no_gap_on_every_seed_is_no_answer(gaps: tuple[float | None, ...], store: Store, confirm: Confirm) -> None:
    confirm("original", (0.1, 0.2, 0.3))
    confirm("salun", gaps)
    assert said(store) == "No method has a gap on every reporting seed yet."


def test_several_tables_are_summed_up_by_who_has_the_smallest_gap_and_whom_nothing_beats(
    store: Store, confirm: Confirm
) -> None:
    far, near = [0.5, 0.52, 0.51, 0.5], [0.1, 0.11, 0.1, 0.12]
    like_near = [0.11, 0.10, 0.11, 0.12]
    for scenario, gaps in (
        ("q0", {"salun": near, "scrub": like_near, "ssd": far}),
        ("q1", {"salun": like_near, "scrub": far, "ssd": near}),
        ("q2", {"salun": near, "scrub": far, "ssd": like_near}),
    ):
        for row, values in gaps.items():
            confirm(row, values, scenario=scenario, forget=scenario)
    boards = leaderboard(store.root)
    assert overall(boards) == (
        "Smallest gap over 3 tables: salun on 2, ssd on 1. By the adjusted verdicts no method is closer on any of them "
        "than salun."
    )
    assert overall(boards[:1]) == ""
