"""A request for a random share of all train images."""

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from pydantic import Field

from unlearning.data._base import ImageData
from unlearning.data.forget._base import Asked, ForgetRequest, draw, percent


class RandomShare(ForgetRequest):
    """A random share of the train images."""

    kind: Literal["random"] = "random"
    fraction: Annotated[float, Interval(gt=0, lt=1)] = Field(description="share of the train images")

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"random {percent(self.fraction)}"

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Draw the share; duplicates are drawn together, so it can end short by less than a group of duplicates."""
        return Asked(draw(torch.arange(len(data.train)), self.fraction, data.duplicate_of_N, random))
