"""How far a model is from its oracle, over named metrics and over seeds.

Every function takes metrics by name, as a stored row gives them; a model is always compared with
the oracle of its own training seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan, prod, sqrt
from statistics import fmean, stdev

from scipy.special import stdtrit

SEARCH_METRICS = ("ua", "ra", "va", "mia")
"""What a search may look at: no metric of the test split, and the attack's non-members come from val."""

REPORT_METRICS = ("ua", "ra", "ta", "mia")
"""What "Avg. Gap" means in the literature's tables."""


def average_gap(measured: Mapping[str, float], oracle: Mapping[str, float], metrics: Sequence[str]) -> float:
    """Give the mean over ``metrics`` of the absolute difference to the oracle (Fan et al., "SalUn", ICLR 2024).

    Returns:
        A fraction in [0, 1]; 0 is the oracle's own.
    """
    return fmean(abs(measured[name] - oracle[name]) for name in metrics)


def tug_of_war(measured: Mapping[str, float], oracle: Mapping[str, float]) -> float:
    """Give ToW = (1 - |dFA|) (1 - |dRA|) (1 - |dTA|), where FA = 1 - UA, so that |dFA| = |dUA|.

    Source: Zhao et al., "What makes unlearning hard and what to do about it", NeurIPS 2024.

    Returns:
        A fraction in [0, 1]; 1 is the oracle's own.
    """
    return prod(1 - abs(measured[name] - oracle[name]) for name in ("ua", "ra", "ta"))


def noise_floor(oracles_S: Sequence[Mapping[str, float]], metrics: Sequence[str]) -> list[float]:
    """Give for each training seed the mean gap of its oracle to the other seeds' oracles: below it, a gap is noise.

    Args:
        oracles_S: the metrics of one oracle a training seed.

    Returns:
        One value a seed, in their order; nan with one seed.
    """
    if len(oracles_S) == 1:
        return [nan]
    return [
        fmean(average_gap(oracle, other, metrics) for t, other in enumerate(oracles_S) if t != s)
        for s, oracle in enumerate(oracles_S)
    ]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the ends of the interval around it."""

    mean: float
    low: float
    high: float


def interval(values_S: Sequence[float], level: float = 0.95) -> Interval:
    """Give the mean over training seeds with its Student-t interval, S - 1 degrees of freedom.

    Args:
        values_S: one value a training seed: gaps, or differences between two models of the same seed.
        level: how often such an interval covers the true mean, where the values are normal.

    Returns:
        The mean and the interval's ends; nan ends with one seed.
    """
    mean = fmean(values_S)
    if len(values_S) == 1:
        return Interval(mean, nan, nan)
    reach = float(stdtrit(len(values_S) - 1, (1 + level) / 2)) * stdev(values_S) / sqrt(len(values_S))
    return Interval(mean, mean - reach, mean + reach)
