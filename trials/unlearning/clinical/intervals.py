"""A proportion of images, with Wilson's interval."""

from dataclasses import dataclass

from unlearning.roc import NORMAL


@dataclass(frozen=True)
class Proportion:
    """So many hits of so many images, at least one.

    Raises:
        ValueError: there is no image, or the hits are no number from 0 to that of the images.
    """

    hits: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.of or not self.of:
            raise ValueError(f"a proportion: wanted hits from 0 to a number of images from 1, got {self}")

    @property
    def value(self) -> float:
        """The share of hits, a fraction in [0, 1]."""
        return self.hits / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % score interval, without continuity correction, within [0, 1].

        Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
        """
        share, z_squared = self.value, NORMAL**2
        centre = (share + z_squared / (2 * self.of)) / (1 + z_squared / self.of)
        spread = share * (1 - share) / self.of + z_squared / (4 * self.of**2)
        reach = NORMAL * spread**0.5 / (1 + z_squared / self.of)
        low = 0.0 if self.hits == 0 else centre - reach
        high = 1.0 if self.hits == self.of else centre + reach
        return low, high
