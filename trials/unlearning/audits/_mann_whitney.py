"""The Mann-Whitney test: could two groups of scores have been dealt out by lot?"""

import math
from typing import Final

import torch
from torch import Tensor

EXACT: Final = 400
"""Up to so many pairs of scores without ties the p-value is counted; beyond it the normal approximation is close."""


def mann_whitney(first_M: Tensor, second_N: Tensor) -> float:
    """Return the two-sided p-value of the hypothesis that the labels of the scores could be exchanged.

    Counted where there are few pairs and no ties; else by the normal approximation with corrections for ties and for
    continuity, as ``scipy.stats.mannwhitneyu`` does. 1 where all scores are the same.

    Args:
        first_M, second_N: scores, finite, at least one each.

    Source: Mann and Whitney, "On a test of whether one of two random variables is stochastically larger", 1947.
    """
    pairs = len(first_M) * len(second_N)
    sorted_N = second_N.sort().values
    below_M, not_above_M = (torch.searchsorted(sorted_N, first_M, side=side) for side in ("left", "right"))
    larger = float((below_M + not_above_M).double().sum()) / 2
    statistic = max(larger, pairs - larger)
    _, ties_T = torch.cat([first_M, second_N]).unique(return_counts=True)
    if pairs <= EXACT and int(ties_T.max()) == 1:
        return min(1.0, 2 * _upper_tail(round(statistic), len(first_M), len(second_N)))
    return _normal(statistic, len(first_M), len(second_N), ties_T.double())


def _normal(statistic: float, first: int, second: int, ties_T: Tensor) -> float:
    count = first + second
    of_ties = float((ties_T**3 - ties_T).sum()) / (count * (count - 1))
    variance = first * second / 12 * (count + 1 - of_ties)
    if variance <= 0:
        return 1.0
    distance = (statistic - first * second / 2 - 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(distance / math.sqrt(2)))


def _upper_tail(statistic: int, first: int, second: int) -> float:
    """Return the share of the ways to deal the labels out in which at least so many pairs have the first one larger."""
    ways = _ways(first, second)
    return sum(ways[statistic:]) / sum(ways)


def _ways(first: int, second: int) -> list[int]:
    """Count the ways to deal the labels out by the number of pairs, from 0, in which the first one is larger.

    They are the coefficients of the Gaussian binomial: the product of (1 - x^(second + k)) / (1 - x^k) over k to first.
    """
    ways = [1] + [0] * (first * second)
    for k in range(1, first + 1):
        for power in range(first * second, second + k - 1, -1):
            ways[power] -= ways[power - second - k]
        for power in range(k, first * second + 1):
            ways[power] += ways[power - k]
    return ways
