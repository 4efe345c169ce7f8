"""A request for a random share of all train images."""

from typing import Annotated, Literal, Self

import torch
from annotated_types import Interval
from pydantic import Field, model_validator

from unlearning.data._base import ImageData
from unlearning.data.forget._base import Asked, ForgetRequest, Halves, draw, draw_halves, percent


class RandomShare(ForgetRequest):
    """A random share of the train images, if asked for with a second one like it that no model is trained on."""

    kind: Literal["random"] = "random"
    fraction: Annotated[float, Interval(gt=0, lt=1)] = Field(description="share of the train images")
    control: bool = Field(
        False,
        description="keep a second share of the same size out of every model, originals too: audits compare the images "
        "to be forgotten with it. Which of the two shares is which was decided by lot",
    )
    halves: Halves = Field(
        "shared",
        description="with control: whether the models of all training seeds are to forget the same one of the two "
        "shares, or each training seed has a lot of its own (`per_seed`), so that an image is forgotten by about half "
        "of the models; oracles, trained on neither share, serve all seeds",
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.control and self.fraction >= 0.5:
            raise ValueError(
                "with control, twice the fraction is taken out of the retain set: wanted a fraction below 0.5, got "
                f"{self.fraction:g}"
            )
        return self

    @model_validator(mode="after")
    def _has_halves(self) -> Self:
        if self.halves == "per_seed" and not self.control:
            raise ValueError("halves: per_seed deals out the halves of a request with control: wanted control: true")
        return self

    @property
    def label(self) -> str:
        """What reports call the request."""
        control = " with control" if self.control else ""
        return f"random {percent(self.fraction)}{control}{' per seed' if self.halves == 'per_seed' else ''}"

    @property
    def has_control(self) -> bool:
        """Whether there is a control half."""
        return self.control

    @property
    def deals(self) -> Halves:
        """How the lot is drawn."""
        return self.halves

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Draw the share; duplicates are drawn together, so it can end short by less than a group of duplicates."""
        everything_N = torch.arange(len(data.train))
        if not self.control:
            return Asked(draw(everything_N, self.fraction, data.duplicate_of_N, random))
        forget_M, control_M = draw_halves(everything_N, self.fraction, data.duplicate_of_N, random)
        return Asked(forget_M, control_M=control_M)
