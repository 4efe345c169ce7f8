"""How well a score separates two groups: the area under the ROC curve, and the rate at few false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import torch
from torch import Tensor

NORMAL: Final = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve, or the difference of two.

    Attributes:
        value: the chance that a positive has the higher score than a negative, ties counted as one half.
        variance: over draws of positives and negatives (DeLong et al., Biometrics 1988); nan for one of either.
        least: the smallest value there is: 0, or -1 for a difference; the largest is 1.
    """

    value: float
    variance: float
    least: float = 0.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval, cut at the ends; None where the variance is 0 or unknown, and so says nothing."""
        if not self.variance > 0:
            return None
        reach = NORMAL * self.variance**0.5
        return max(self.least, self.value - reach), min(1.0, self.value + reach)


@dataclass(frozen=True, eq=False)
class Placements:
    """What each image adds to an area, or to the difference of two: DeLong's structural components.

    Source: DeLong et al., "Comparing the areas under two or more correlated receiver operating characteristic curves",
    Biometrics 1988; by ranks as in Sun and Xu, IEEE Signal Processing Letters 2014.

    Attributes:
        positives_P: for each positive the share of the negatives with a lower score, ties counted as one half; float64.
        negatives_M: for each negative the share of the positives with a higher score.
        least: as `Area.least`.
    """

    positives_P: Tensor
    negatives_M: Tensor
    least: float = 0.0

    @classmethod
    def of(cls, positives_P: Tensor, negatives_M: Tensor) -> Self:
        """Take them from scores, float64 on the CPU, at least one of each."""
        return cls(share_below(positives_P, negatives_M), 1 - share_below(negatives_M, positives_P))

    def minus_mean(self, others: Sequence[Self]) -> "Placements":
        """Return those of the difference to the mean area of other models on the same images, at least one model."""
        of_positives_P, of_negatives_M = (
            torch.stack(some).mean(0)
            for some in ([one.positives_P for one in others], [one.negatives_M for one in others])
        )
        return Placements(self.positives_P - of_positives_P, self.negatives_M - of_negatives_M, least=-1.0)

    @property
    def area(self) -> Area:
        """The area, or the difference."""
        sides = self.positives_P, self.negatives_M
        unknown = min(map(len, sides)) < 2
        variance = float("nan") if unknown else sum(float(side.var()) / len(side) for side in sides)
        return Area(float(self.positives_P.mean()), variance, self.least)


def area_under_curve(positives_P: Tensor, negatives_M: Tensor) -> Area:
    """Return how well scores separate positives from negatives; both float64 on the CPU, at least one each."""
    return Placements.of(positives_P, negatives_M).area


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
