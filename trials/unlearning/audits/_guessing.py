"""What a right guess of the forgotten half proves: lower bounds on epsilon, and on the mu of Gaussian privacy.

Of m candidates a random half was forgotten. A guesser names r / 2 of them as forgotten and r / 2 as never seen, and is
right about v of the r. If unlearning were (epsilon, 0)-close to retraining, a model could not betray the half better
than a factor of e^(2 epsilon) allows; so a v that is too large for it refutes that epsilon.

Source: "Auditing of unlearning algorithms", 2026 (Sahasrajit123/audit-unlearning-code), with the halving of the
exponent that its first release lacks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_LARGEST_TILT: Final = 745.0
"""e to its power is the largest float64."""

_ROUNDS: Final = 200


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
        return float(_log_choose(_number(self.candidates), _number(self.candidates // 2)))

    def log_counts(self) -> Tensor:
        """Return log f(v), the number of halves of which v guesses are right, for v from 0 to r: float64, (r + 1,)."""
        m, r = self.candidates, self.guesses
        right_A = torch.arange(r // 2 + 1, dtype=torch.float64)
        left_AB = (m - r) / 2 - (right_A[:, None] - right_A[None])
        each_A = _log_choose(_number(r // 2), right_A)
        ways_AB = each_A[:, None] + each_A[None] + _log_choose(_number(m - r), left_AB)
        total_AB = (right_A[:, None] + right_A[None]).long()
        return torch.stack([ways_AB[total_AB == v].logsumexp(0) for v in range(r + 1)])

    def tail(self, right: int) -> float:
        """Return the chance of at least so many right guesses."""
        return math.exp(min(0.0, float(self.log_counts()[right:].logsumexp(0)) - self.log_halves))


def mean_bound(guesses: Guesses, right: Sequence[int], level: float) -> float:
    """Return the epsilon that runs refute at a level by the mean of their right guesses; 0 where they refute none.

    Args:
        right: of each run, whose halves were drawn independently.
    """
    mean, log_counts_V = sum(right) / len(right), guesses.log_counts()
    values_V = torch.arange(len(log_counts_V), dtype=torch.float64)
    low, high = 0.0, _LARGEST_TILT
    for _ in range(_ROUNDS):
        tilt = (low + high) / 2
        weights_V = (log_counts_V + tilt * (values_V - mean)).softmax(0)
        low, high = (tilt, high) if float(weights_V @ values_V) < mean else (low, tilt)
    chance = float((log_counts_V + low * (values_V - mean)).logsumexp(0))
    return _epsilon(math.log(level) / len(right) - chance, guesses.log_halves)


def median_bound(guesses: Guesses, right: Sequence[int], level: float) -> float:
    """Return the epsilon that runs refute at a level by the median of their right guesses; exact for one run.

    Args:
        right: as of `mean_bound`.
    """
    needed = math.ceil(len(right) / 2)
    median = sorted(right)[len(right) - needed]
    log_tail = float(guesses.log_counts()[median:].logsumexp(0))
    log_level = (math.log(level) - math.log(math.comb(len(right), needed))) / needed
    return _epsilon(log_level - log_tail, guesses.log_halves)


def gaussian_bound(guesses: Guesses, right: int, level: float) -> float:
    """Return the mu of Gaussian differential privacy that one run refutes at a level; 0 where it refutes none."""
    chance = guesses.tail(right)
    quantiles_2 = torch.special.ndtri(torch.tensor([level, chance], dtype=torch.float64))
    return max(0.0, float(quantiles_2[0] - quantiles_2[1]) / 2)


def _epsilon(log_share: float, log_halves: float) -> float:
    """Solve e^E / (e^E + Z - 1) = e^log_share for E, which is 2 epsilon."""
    log_rest = log_halves + math.log1p(-math.exp(-log_halves))
    return max(0.0, (log_share + log_rest - math.log(-math.expm1(log_share))) / 2)


def _number(value: int) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float64)


def _log_choose(count: Tensor, chosen: Tensor) -> Tensor:
    """Return the logarithm of the binomial coefficient; minus infinity outside 0 ... count."""
    inside = (chosen >= 0) & (chosen <= count)
    within = chosen.clamp(min=0).minimum(count)
    log_ways = torch.lgamma(count + 1) - torch.lgamma(within + 1) - torch.lgamma(count - within + 1)
    return log_ways.masked_fill(~inside, -torch.inf)
