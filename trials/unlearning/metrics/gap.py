"""How far a model is from its oracle, over named metrics and over seeds.

Every function takes metrics by name, as `Measurement.row` or a stored row gives them; a model is always compared with
the oracle of its own training seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy import stats

SEARCH_METRICS = ("ua", "ra", "va", "mia_confidence")
"""What a search may look at: no metric of the test split, and the attack's non-members come from val."""

REPORT_METRICS = ("ua", "ra", "ta", "mia_confidence")
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
    return math.prod(1 - abs(measured[name] - oracle[name]) for name in ("ua", "ra", "ta"))


def noise_floor(oracles: Sequence[Mapping[str, float]], metrics: Sequence[str]) -> list[float]:
    """Give for each training seed the mean gap of its oracle to the other seeds' oracles.

    No method's gap can be told from zero below it.

    Returns:
        One value a seed; nan with one seed.
    """
    return [
        fmean(average_gap(one, other, metrics) for other in oracles if other is not one) if len(oracles) > 1 else nan
        for one in oracles
    ]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the 95 % interval around it; ``low`` and ``high`` are nan with one seed."""

    mean: float
    low: float
    high: float


def interval(values_S: Sequence[float]) -> Interval:
    """Give the mean over seeds with its 95 % Student-t interval, S - 1 degrees of freedom.

    Args:
        values_S: one value a training seed: gaps, or differences between two models paired by seed.
    """
    mean, error = fmean(values_S), ...
