"""What a right guess of the forgotten half proves: lower bounds on epsilon, and on the mu of Gaussian privacy.

Of m candidates a random half was forgotten. A guesser names r / 2 of them as forgotten and r / 2 as never seen, and is
right about v of the r. If unlearning were (epsilon, 0)-close to retraining, a model could not betray the half better
than a factor of e^(2 epsilon) allows; so a v that is too large for it refutes that epsilon.

Several runs count together if each has a half of its own, drawn independently, and its guesses were made from its own
model and from models that know nothing of any half. Guesses that are learned from the other runs' halves may be right
together: they make bounds of several runs too large.

NumPy alone: results are queried without torch. Source: "Auditing of unlearning algorithms", 2026
(Sahasrajit123/audit-unlearning-code), with the halving of the exponent that its first release lacks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

_LARGEST_TILT: Final = 745.0
"""e to its power is the largest float64."""

_ROUNDS: Final = 200

_LEAST_CHANCE: Final = 5e-324
"""A chance that float64 cannot hold counts as this, which makes a bound smaller."""


@dataclass(frozen=True)
class Guesses:
    """The law of the number of right guesses where the half was drawn by lot and the model does not depend on it.

    Attributes:
        candidates: m, even.
        guesses: r, even, at most m: half of them name forgotten candidates, half of them unseen ones.

    Raises:
        ValueError: the numbers are odd, below 2, or there are more guesses than candidates.
    """

    candidates: int
    guesses: int

    def __post_init__(self) -> None:
        m, r = self.candidates, self.guesses
        if m % 2 or r % 2 or not 2 <= r <= m:
            raise ValueError(f"wanted even numbers of candidates and of guesses, 2 <= r <= m, got m {m} and r {r}")

    @property
    def log_halves(self) -> float:
        """The logarithm of Z, the number of halves that there are."""
        m = self.candidates
        return math.lgamma(m + 1) - 2 * math.lgamma(m // 2 + 1)

    @cached_property
    def log_counts(self) -> Array:
        """Log f(v), the number of halves of which v guesses are right, for v from 0 to r: (r + 1,)."""
        m, r = self.candidates, self.guesses
        right_A = np.arange(r // 2 + 1)
        left_AB = (m - r) // 2 - (right_A[:, None] - right_A[None])
        each_A = _log_choose(r // 2, right_A)
        ways_AB = each_A[:, None] + each_A[None] + _log_choose(m - r, left_AB)
        by_total_AB = np.fliplr(ways_AB)
        return np.array([_log_sum_exp(by_total_AB.diagonal(r // 2 - v)) for v in range(r + 1)])

    def tail(self, right: Sequence[int]) -> float:
        """Return the chance that as many independent runs have at least so many right guesses together."""
        chances_V = np.exp(self.log_counts - self.log_halves)
        together_V = np.ones(1)
        for _ in right:
            together_V = np.convolve(together_V, chances_V)
        return min(1.0, float(together_V[sum(right) :].sum()))


def mean_bound(guesses: Guesses, right: Sequence[int], level: float) -> float:
    """Return the epsilon that runs refute at a level by the mean of their right guesses; 0 where they refute none.

    Args:
        right: of each run, whose halves were drawn independently.
    """
    mean, log_counts_V = sum(right) / len(right), guesses.log_counts
    values_V = np.arange(len(log_counts_V), dtype=np.float64)
    low, high = 0.0, _LARGEST_TILT
    for _ in range(_ROUNDS):
        tilt = (low + high) / 2
        tilted_V = log_counts_V + tilt * (values_V - mean)
        weights_V = np.exp(tilted_V - tilted_V.max())
        low, high = (tilt, high) if float(weights_V @ values_V) < mean * weights_V.sum() else (low, tilt)
    chance = _log_sum_exp(log_counts_V + low * (values_V - mean))
    return _epsilon(math.log(level) / len(right) - chance, guesses.log_halves)


def median_bound(guesses: Guesses, right: Sequence[int], level: float) -> float:
    """Return the epsilon that runs refute at a level by the median of their right guesses; exact for one run.

    Args:
        right: as of `mean_bound`.
    """
    needed = math.ceil(len(right) / 2)
    median = sorted(right)[len(right) - needed]
    log_tail = _log_sum_exp(guesses.log_counts[median:])
    log_level = (math.log(level) - math.log(math.comb(len(right), needed))) / needed
    return _epsilon(log_level - log_tail, guesses.log_halves)


def gaussian_bound(guesses: Guesses, right: Sequence[int], level: float) -> float:
    """Return the mu of Gaussian differential privacy that runs refute at a level; 0 where they refute none.

    Args:
        right: as of `mean_bound`. L runs together are less private than one, by a factor of sqrt(L) in mu.
    """
    chance = min(max(guesses.tail(right), _LEAST_CHANCE), 1 - 2**-53)
    quantile = NormalDist().inv_cdf
    return max(0.0, (quantile(level) - quantile(chance)) / (2 * math.sqrt(len(right))))


def _epsilon(log_share: float, log_halves: float) -> float:
    """Solve e^E / (e^E + Z - 1) = e^log_share for E, which is 2 epsilon."""
    log_rest = log_halves + math.log1p(-math.exp(-log_halves))
    return max(0.0, (log_share + log_rest - math.log(-math.expm1(log_share))) / 2)


def _log_choose(count: int, chosen_A: np.ndarray[Any, np.dtype[np.int64]]) -> Array:
    """Return the logarithm of the binomial coefficient; minus infinity outside 0 ... count."""
    log_factorials = np.array([math.lgamma(number + 1) for number in range(count + 1)])
    within_A = np.clip(chosen_A, 0, count)
    log_ways_A = log_factorials[count] - log_factorials[within_A] - log_factorials[count - within_A]
    return np.where(within_A == chosen_A, log_ways_A, -np.inf)


def _log_sum_exp(values_V: Array) -> float:
    largest = float(values_V.max())
    return largest + math.log(float(np.exp(values_V - largest).sum())) if math.isfinite(largest) else -math.inf
