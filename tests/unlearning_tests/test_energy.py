"""The energy test: by hand, exact, of its own size, and where so few models allow no decision."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from unlearning.energy import EXACT, energy_test


def by_hand(first: np.ndarray, second: np.ndarray) -> float:
    """The energy distance, pair by pair."""

    def mean(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(a - b) for a in one for b in other]))

    return 2 * mean(first, second) - mean(first, first) - mean(second, second)


def test_distance_and_p_are_those_of_all_labellings_tried_by_hand() -> None:
    random = np.random.default_rng(0)
    unlearned, oracles = random.normal(0.5, 1, (3, 4)), random.normal(0, 1, (4, 4))
    pooled = np.concatenate([unlearned, oracles])
    scaled = pooled / pooled.std(0)
    tried = [
        by_hand(scaled[list(chosen)], scaled[[one for one in range(7) if one not in chosen]])
        for chosen in combinations(range(7), 3)
    ]
    found = energy_test(unlearned, oracles)
    assert found.distance == pytest.approx(tried[0])
    assert found.p == pytest.approx(np.mean([one >= tried[0] - 1e-9 for one in tried]))
    assert found.least_p == 1 / comb(7, 3)


def test_with_three_models_on_each_side_no_p_is_below_a_tenth() -> None:
    found = energy_test(np.full((3, 4), 1.0) + np.eye(3, 4) / 100, np.zeros((3, 4)) + np.eye(3, 4) / 100)
    assert found.p == found.least_p == pytest.approx(2 / comb(6, 3))


def test_a_measure_that_does_not_vary_is_no_error_and_has_no_weight() -> None:
    random = np.random.default_rng(0)
    unlearned, oracles = random.normal(0, 1, (5, 2)), random.normal(0, 1, (5, 2))
    constant = np.ones((5, 1))
    with_constant = energy_test(np.hstack([unlearned, constant]), np.hstack([oracles, constant]))
    assert with_constant == energy_test(unlearned, oracles)


def test_many_models_are_dealt_out_by_chance_and_the_same_each_time() -> None:
    random = np.random.default_rng(0)
    unlearned, oracles = random.normal(0, 1, (12, 4)), random.normal(0, 1, (13, 4))
    assert energy_test(unlearned, oracles) == energy_test(unlearned, oracles)
    assert energy_test(unlearned + 3, oracles).p < 1e-3


@pytest.mark.parametrize("oracles", [12, 13])
def test_the_smallest_p_of_draws_is_that_of_none_as_far_apart(oracles: int) -> None:
    random = np.random.default_rng(0)
    found = energy_test(random.normal(100, 1, (12, 4)), random.normal(0, 1, (oracles, 4)))
    assert found.p == found.least_p == 1 / (EXACT + 1)


def test_under_retraining_five_percent_is_found_in_no_more_than_five_percent() -> None:
    random = np.random.default_rng(0)
    p = [energy_test(random.normal(0, 1, (5, 4)), random.normal(0, 1, (5, 4))).p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) <= 0.075


@pytest.mark.parametrize("unlearned", [np.zeros((0, 4)), np.full((2, 4), np.nan)])
def test_no_models_and_measures_that_are_not_finite_are_errors(unlearned: np.ndarray) -> None:
    with pytest.raises(ValueError, match="wanted finite measures of two groups"):
        energy_test(unlearned, np.zeros((3, 4)))
