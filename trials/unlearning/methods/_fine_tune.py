"""Fine-tuning on the retain set, in the hope that the forget set is forgotten on the way (Warnecke et al., 2021)."""

from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import DataPass
from unlearning.methods._base import ForgetTask
from unlearning.methods._sgd import SCHEDULES, SGDMethod
from unlearning.ranges import Ranges, logarithmic


class FineTune(SGDMethod):
    """Cross-entropy on D_r alone."""

    name: Literal["fine_tune"] = "fine_tune"
    title: ClassVar[str] = "fine-tuning"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "schedule": SCHEDULES,
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01

    def data_passes(self, task: ForgetTask, order_N: Tensor, random: torch.Generator) -> list[DataPass]:
        """Pass over D_r with its true labels."""
        return [task.retain_pass(order_N)]
