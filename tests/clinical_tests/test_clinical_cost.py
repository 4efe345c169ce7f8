"""The expected cost: worked by hand, and never above that of a constant decision where probabilities are right."""

import pytest
import torch

from unlearning.clinical import normalised_cost

PROBABILITIES = torch.tensor([0.9, 0.4, 0.15, 0.6, 0.05, 0.02, 0.3, 0.1]).double()
POSITIVE = torch.tensor([1, 1, 1, 0, 0, 0, 0, 0]).bool()


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (1, (2 * 1 + 1) / 3),  # called from 1/2 on: two misses, one alarm; calling none costs three misses
        (3, (3 * 1 + 2) / 5),  # from 1/4 on: one miss, two alarms; calling all costs five alarms
        (9, 3 / 5),  # from 1/10 on: no miss, three alarms
    ],
)
def test_the_cost_is_that_of_deciding_by_the_models_own_probability(ratio: float, expected: float) -> None:
    odds_N = PROBABILITIES.logit()
    odds_N[-1] += 1e-9  # 0.1 itself is on the threshold of ratio 9
    assert normalised_cost(odds_N, POSITIVE, ratio) == pytest.approx(expected)


@pytest.mark.parametrize("ratio", [1, 5, 20])
def test_without_an_error_it_is_nothing_and_for_a_constant_decision_it_is_one_at_best(ratio: float) -> None:
    certain = torch.where(POSITIVE, 50.0, -50.0).double()
    assert normalised_cost(certain, POSITIVE, ratio) == 0
    constant = [normalised_cost(torch.full((8,), odds).double(), POSITIVE, ratio) for odds in (-50.0, 50.0)]
    assert min(one for one in constant if one is not None) == 1


def test_probabilities_that_are_wrong_cost_more_than_a_constant_decision_though_they_rank_perfectly() -> None:
    shifted = torch.where(POSITIVE, -4.0, -5.0).double()
    cost = normalised_cost(shifted, POSITIVE, 10)
    assert cost is not None
    assert cost > 1


def test_without_positives_or_negatives_there_is_no_cost() -> None:
    assert normalised_cost(PROBABILITIES.logit(), torch.zeros(8, dtype=torch.bool), 5) is None
    assert normalised_cost(PROBABILITIES.logit(), torch.ones(8, dtype=torch.bool), 5) is None
