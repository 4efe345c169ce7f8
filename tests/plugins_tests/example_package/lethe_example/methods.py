"""Gradient ascent on the forget set, alternating with fine-tuning on the retain set."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor

from unlearning.engine import DataPass
from unlearning.methods import ForgetTask, SGDMethod, negative_cross_entropy


class Alternate(SGDMethod):
    """Climb the loss of D_f and descend on that of D_r, in every epoch."""

    name: Literal["alternate"] = "alternate"
    title: ClassVar[str] = "alternating ascent"
    version: ClassVar[int] = 1
    climbs: Annotated[int, Ge(1), Field(description="passes over the forget set in an epoch")] = 1

    def data_passes(self, task: ForgetTask, order_N: Tensor, random: torch.Generator) -> list[DataPass]:
        """Return the passes over D_f, uphill, and one over D_r."""
        climb = replace(task.forget_pass(order_N), loss=negative_cross_entropy)
        return [*[climb] * self.climbs, task.retain_pass(order_N)]
