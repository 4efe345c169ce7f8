"""How well a score separates two groups: the area under the ROC curve, and the rate at few false alarms."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

NORMAL: Final = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve.

    Attributes:
        value: the chance that a positive has the higher score than a negative, ties counted as one half.
        variance: over draws of positives and negatives (DeLong et al., Biometrics 1988); nan for one of either.
    """

    value: float
    variance: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval, cut at 0 and 1; None where the variance is 0 or unknown, and so says nothing."""
        if not self.variance > 0:
            return None
        reach = NORMAL * self.variance**0.5
        return max(0.0, self.value - reach), min(1.0, self.value + reach)


def area_under_curve(positives_P: Tensor, negatives_N: Tensor) -> Area:
    """Return how well scores separate positives from negatives; both float64 on the CPU, at least one each."""
    of_positives_P, of_negatives_N = share_below(positives_P, negatives_N), share_below(negatives_N, positives_P)
    if min(len(positives_P), len(negatives_N)) > 1:
        variance = float(of_positives_P.var() / len(positives_P) + of_negatives_N.var() / len(negatives_N))
    else:
        variance = float("nan")
    return Area(float(of_positives_P.mean()), variance)


def true_positive_rate(positives_P: Tensor, negatives_N: Tensor, false_positive_rate: float) -> float:
    """Return the largest share of positives above a threshold that at most this share of the negatives is above."""
    allowed = int(false_positive_rate * len(negatives_N))
    threshold = negatives_N.sort(descending=True).values[allowed]
    return float((positives_P > threshold).double().mean())


def share_below(values_M: Tensor, others_N: Tensor) -> Tensor:
    """Return, for each value, the share of the others below it, ties counted as one half: float64, (M,)."""
    sorted_N = others_N.sort().values
    below_M, not_above_M = (torch.searchsorted(sorted_N, values_M, side=side) for side in ("left", "right"))
    return (below_M + not_above_M).double() / (2 * len(others_N))
