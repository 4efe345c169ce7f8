"""A request for a random share of all train images."""

from typing import Annotated, Literal, Self

import torch
from annotated_types import Interval
from pydantic import Field, model_validator

from unlearning.data._base import ImageData
from unlearning.data.forget._base import Asked, ForgetRequest, draw, draw_halves, percent


class RandomShare(ForgetRequest):
    """A random share of the train images, if asked for with a second one like it that no model is trained on."""

    kind: Literal["random"] = "random"
    fraction: Annotated[float, Interval(gt=0, lt=1)] = Field(description="share of the train images")
    control: bool = Field(
        False,
        description="keep a second share of the same size out of every model, originals too: audits compare the images "
        "to be forgotten with it. Which of the two shares is which was decided by lot",
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.control and self.fraction >= 0.5:
            raise ValueError(
                "with control, twice the fraction is taken out of the retain set: wanted a fraction below 0.5, got "
                f"{self.fraction:g}"
            )
        return self

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"random {percent(self.fraction)}{' with control' if self.control else ''}"

    @property
    def has_control(self) -> bool:
        """Whether there is a control half."""
        return self.control

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Draw the share; duplicates are drawn together, so it can end short by less than a group of duplicates."""
        everything_N = torch.arange(len(data.train))
        if not self.control:
            return Asked(draw(everything_N, self.fraction, data.duplicate_of_N, random))
        forget_M, control_M = draw_halves(everything_N, self.fraction, data.duplicate_of_N, random)
        return Asked(forget_M, control_M=control_M)
