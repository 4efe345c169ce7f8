"""The difference of two proportions over the same images, with Newcombe's interval."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from unlearning.clinical.intervals import Proportion


@dataclass(frozen=True)
class PairedCounts:
    """How often two models hit, over the same images, at least one.

    Attributes:
        both, first, second, neither: images that both models hit, the first alone, the second alone, none.

    Raises:
        ValueError: there is no image, or a count is below zero.
    """

    both: int
    first: int
    second: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.first, self.second, self.neither) < 0 or not self.of:
            raise ValueError(f"paired counts: wanted counts from 0, and at least one image, got {self}")

    @classmethod
    def count(cls, first_N: Tensor, second_N: Tensor) -> Self:
        """Count the hits of two models, both bool, (N,), of the same images in the same order."""
        both, first, second = (
            int(chosen_N.sum()) for chosen_N in (first_N & second_N, first_N & ~second_N, second_N & ~first_N)
        )
        return cls(both, first, second, len(first_N) - both - first - second)

    @property
    def of(self) -> int:
        """The number of images."""
        return self.both + self.first + self.second + self.neither

    @property
    def value(self) -> float:
        """The first model's share of hits minus the second's, in [-1, 1]."""
        return (self.first - self.second) / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the difference; each end is a one-sided 97.5 % bound.

        Newcombe's method 10: Wilson's intervals of the two shares, squared and added, with the correlation of the hits
        corrected for continuity.

        Source: Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
        data", Statistics in Medicine 1998.
        """
        first, second = (Proportion(self.both + alone, self.of) for alone in (self.first, self.second))
        (low_1, high_1), (low_2, high_2) = first.interval, second.interval
        below_1, above_1 = first.value - low_1, high_1 - first.value
        below_2, above_2 = second.value - low_2, high_2 - second.value
        down = below_1**2 - 2 * self._correlation * below_1 * above_2 + above_2**2
        up = above_1**2 - 2 * self._correlation * above_1 * below_2 + below_2**2
        return max(-1.0, self.value - down**0.5), min(1.0, self.value + up**0.5)

    @property
    def _correlation(self) -> float:
        """The phi coefficient of the hits, moved towards zero by half an image; 0 where a model hits all or none."""
        hits = (self.both + self.first, self.both + self.second)
        margins = hits[0] * (self.of - hits[0]) * hits[1] * (self.of - hits[1])
        if not margins:
            return 0.0
        covariance = self.both * self.neither - self.first * self.second
        corrected = max(covariance - self.of / 2, 0.0) if covariance > 0 else covariance
        return float(corrected / margins**0.5)
