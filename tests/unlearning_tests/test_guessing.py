"""The law of right guesses: figures of the authors' public code, exact counts, and what several runs say together."""

import json
from itertools import combinations, product
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning.guessing import Guesses, gaussian_bound, mean_bound, median_bound

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "audits.npz")
BOUNDS = json.loads(str(REFERENCE["epsilon/bounds"]))


@pytest.mark.parametrize("row", BOUNDS, ids=lambda row: f"m {row['m']}, r {row['r']}, {len(row['v'])} runs")
def test_bounds_are_those_of_the_authors_code_halved(row: dict[str, object]) -> None:
    guesses, right = Guesses(row["m"], row["r"]), row["v"]  # type: ignore[arg-type]
    assert mean_bound(guesses, right, 0.05) == pytest.approx(row["eps_LB_mean"], abs=1e-8)  # type: ignore[arg-type]
    assert median_bound(guesses, right, 0.05) == pytest.approx(row["eps_LB_median"], abs=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize(("right", "bound"), [(20, 6.589330), (8, 2.499652)])
def test_ten_perfect_runs_over_twenty_candidates_give_the_published_bounds(right: int, bound: float) -> None:
    assert mean_bound(Guesses(20, right), [right] * 10, 0.05) == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize(("candidates", "guesses"), [(20, 8), (40, 20), (60, 10)])
def test_counts_are_those_of_the_authors_code(candidates: int, guesses: int) -> None:
    ours, theirs = Guesses(candidates, guesses).log_counts, REFERENCE[f"epsilon/log_f_m{candidates}_r{guesses}"]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_counts_are_those_of_all_halves() -> None:
    halves = [
        sum(member < 2 for member in half) + sum(member not in half for member in (6, 7))
        for half in (combinations(range(8), 4))
    ]
    counted = torch.tensor(halves).bincount(minlength=5).double()
    assert np.exp(Guesses(8, 4).log_counts).tolist() == pytest.approx(counted.tolist())
    assert Guesses(8, 4).log_halves == pytest.approx(log(comb(8, 4)))
    assert Guesses(8, 4).tail([3]) == pytest.approx(float(counted[3:].sum() / counted.sum()))


@pytest.mark.parametrize(("candidates", "guesses"), [(7, 4), (8, 3), (8, 0), (8, 10)])
def test_odd_numbers_and_more_guesses_than_candidates_are_refused(candidates: int, guesses: int) -> None:
    with pytest.raises(ValueError, match="wanted even numbers of candidates and of guesses, 2 <= r <= m, got m"):
        Guesses(candidates, guesses)


def test_what_chance_explains_refutes_no_epsilon() -> None:
    guesses = Guesses(400, 100)
    assert (
        median_bound(guesses, [58], 0.05),
        mean_bound(guesses, [58], 0.05),
        gaussian_bound(guesses, [58], 0.05),
    ) == (
        0,
        0,
        0,
    )


def test_several_runs_together_have_the_tail_of_all_their_halves() -> None:
    law = Guesses(6, 4)
    halves = [
        sum(one < 2 for one in half) + sum(one not in half for one in (4, 5)) for half in combinations(range(6), 3)
    ]
    totals = np.array([sum(runs) for runs in product(halves, repeat=3)])
    for right in ((4, 4, 4), (2, 3, 4), (1, 2, 2), (0, 0, 0)):
        assert law.tail(right) == pytest.approx((totals >= sum(right)).mean())


@pytest.mark.parametrize(("right", "epsilon", "mu"), [(60, 0.71, 0.51), (70, 3.8, 1.58)])
def test_five_runs_refute_what_the_paper_says_and_of_mu_more_by_their_exact_tail(
    right: int, epsilon: float, mu: float
) -> None:
    """The paper's mu rests on an upper bound of the tail."""
    law = Guesses(1000, 100)
    assert mean_bound(law, [right] * 5, 0.05) == pytest.approx(epsilon, abs=0.06)
    assert mu < gaussian_bound(law, [right] * 5, 0.05) < mu + 0.12
    assert mean_bound(law, [right] * 5, 0.05) > mean_bound(law, [right], 0.05)


def test_a_chance_below_the_smallest_float_leaves_a_finite_bound() -> None:
    law = Guesses(2000, 2000)
    assert law.tail([2000]) == 0
    assert gaussian_bound(law, [2000], 0.05) == pytest.approx((38.47 - 1.645) / 2, abs=0.01)
    assert gaussian_bound(law, [0], 0.05) == 0


def test_under_the_null_at_most_five_percent_of_several_runs_together_are_significant() -> None:
    random, law = np.random.default_rng(0), Guesses(40, 20)
    significant, refuted = 0, 0
    for _ in range(1000):
        forgotten = np.array([random.permutation(40) < 20 for _ in range(4)])
        right = (forgotten[:, :10].sum(1) + (~forgotten[:, -10:]).sum(1)).tolist()
        if law.tail(right) <= 0.05:
            significant += 1
            refuted += mean_bound(law, right, 0.05) > 0
    assert 20 < significant < 65
    assert refuted < significant
