"""Gradient ascent on the forget set (Thudi et al., 2022)."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import DataPass
from unlearning.methods._base import ForgetTask
from unlearning.methods._sgd import SGDMethod
from unlearning.ranges import Ranges, logarithmic, plain
from unlearning.tasks import mean_loss


def negative_cross_entropy(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """Return minus the mean loss, so that descending on it ascends on the loss."""
    return -mean_loss(logits_BK, labels_B)


class GradientAscent(SGDMethod):
    """Climb the cross-entropy of D_f; D_r is never seen."""

    name: Literal["gradient_ascent"] = "gradient_ascent"
    title: ClassVar[str] = "gradient ascent"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-6, 1e-2),
        "epochs": plain(1, 10),
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 1e-4
    epochs: Annotated[int, Ge(1), Field(description="epochs of unlearning")] = 5

    def data_passes(self, task: ForgetTask, order_N: Tensor, random: torch.Generator) -> list[DataPass]:
        """Pass over D_f with its true labels, uphill."""
        return [replace(task.forget_pass(order_N), loss=negative_cross_entropy)]
