"""SalUn: random labels on the forget set, moving only the weights with the strongest forget-set gradient.

Source: Fan et al., "SalUn", ICLR 2024 (arXiv 2310.12508), equations 4 and 5, and the authors' public code.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval
from pydantic import Field
from torch import Tensor

from unlearning.methods._base import Method, UnlearningContext
from unlearning.methods._random_label import RandomLabel
from unlearning.methods._sgd import SCHEDULES
from unlearning.ranges import Ranges, logarithmic, plain
from unlearning.saliency import Ranking, Saliency
from unlearning.seeds import generator


class SalUn(RandomLabel):
    """Random labels under a saliency mask; ``mask: random`` of the same density is its control."""

    name: Literal["salun"] = "salun"  # type: ignore[assignment]
    title: ClassVar[str] = "SalUn"
    requires: ClassVar[tuple[str, ...]] = ("saliency",)
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.2),
        "density": plain(0.1, 0.9),
        "schedule": SCHEDULES,
        "forget_weight": logarithmic(0.1, 2.0),
    }
    density: Annotated[float, Interval(gt=0, le=1), Field(description="share of weights left trainable")] = 0.5
    mask: Annotated[
        Literal["saliency", "random"], Field(description="rank weights by saliency or, as a control, by chance")
    ] = "saliency"

    @property
    def needs(self) -> tuple[str, ...]:
        """The scores, where they decide which weights are frozen."""
        return self.requires if self.mask == "saliency" and self.density < 1 else ()

    def masks(self, context: UnlearningContext, seed: int) -> list[Tensor] | None:
        """Cut the mask of this density from the ranked scores, or from a random order; none where all may move.

        Raises:
            ValueError: the setting needs scores and the context has none.
        """
        if self.density == 1:
            return None
        if self.mask == "random":
            return Ranking.by_chance(context.model.parameters(), generator(seed, "mask")).masks(self.density)
        return _scores(context.required).masks(self.density)

    def controls(self) -> dict[str, Method]:
        """Return plain random labels and a random mask of the same density, all else equal."""
        return {
            "density 1.0": self.model_copy(update={"density": 1.0}),
            "random mask": self.model_copy(update={"mask": "random"}),
        }

    def threshold(self, required: Mapping[str, Any]) -> float | None:
        """Return gamma, the smallest score that this density leaves trainable.

        Raises:
            ValueError: the setting needs scores and there are none.
        """
        return _scores(required).threshold(self.density) if self.needs else None


def _scores(required: Mapping[str, Any]) -> Saliency:
    if "saliency" not in required:
        raise ValueError("SalUn needs the saliency scores of the original on the forget set, got none")
    scores: Saliency = required["saliency"]
    return scores
