"""Learning-rate schedules: the factor on the recipe's learning rate at a step, known before training starts."""

import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal

from annotated_types import Gt, Interval
from pydantic import Field

from unlearning.options import Options


class Schedule(Options, ABC):
    """How the learning rate moves over a run."""

    @abstractmethod
    def factor(self, progress: float) -> float:
        """Return the factor on the peak learning rate at ``progress``, the share of steps done, in [0, 1)."""


class Constant(Schedule):
    """The same rate throughout."""

    kind: Literal["constant"] = "constant"

    def factor(self, progress: float) -> float:
        """Return 1."""
        return 1.0


class Cosine(Schedule):
    """Half a cosine from the peak to zero (Loshchilov and Hutter, 2017, equation 5, without restarts)."""

    kind: Literal["cosine"] = "cosine"

    def factor(self, progress: float) -> float:
        """Return the half cosine at ``progress``."""
        return (1 + math.cos(math.pi * progress)) / 2


class MultiStep(Schedule):
    """The rate times ``gamma`` at each milestone, a share of the run; the defaults are those of SalUn's originals."""

    kind: Literal["multi-step"] = "multi-step"
    milestones: Annotated[
        tuple[Annotated[float, Interval(gt=0, lt=1)], ...],
        Field(strict=False, description="shares of the run after which the rate is multiplied"),
    ] = (0.5, 0.75)
    gamma: Annotated[float, Interval(gt=0, lt=1), Field(description="what it is multiplied by at each milestone")] = 0.1

    def factor(self, progress: float) -> float:
        """Return ``gamma`` to the power of the milestones passed."""
        return float(self.gamma ** sum(progress >= milestone for milestone in self.milestones))


class OneCycle(Schedule):
    """Cosine rise to the peak over the share ``warmup``, cosine fall to zero after it (Smith and Topin, 2018)."""

    kind: Literal["one-cycle"] = "one-cycle"
    warmup: Annotated[float, Interval(gt=0, lt=1), Field(description="share of the run until the peak")] = 0.3
    start: Annotated[float, Gt(0), Field(description="rate at the first step, as a share of the peak")] = 0.04

    def factor(self, progress: float) -> float:
        """Return the rising or the falling cosine at ``progress``."""
        if progress < self.warmup:
            return self.start + (1 - self.start) * (1 - math.cos(math.pi * progress / self.warmup)) / 2
        return (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup))) / 2


AnySchedule = Annotated[Constant | Cosine | MultiStep | OneCycle, Field(discriminator="kind")]
