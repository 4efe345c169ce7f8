"""MUNBa: the direction that is as good for the retain set as for the forget set, by the solution of a bargain.

Source: Wu and Harandi, "MUNBa: Machine Unlearning via Nash Bargaining", ICCV 2025 (arXiv 2411.15537), and the public
code (JingWu321/MUNBa, ``MUNBa.py``), whose optimisation has a closed form (docs/methods.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass, Stream, clipped, flat_norm, flat_product
from unlearning.methods._base import ForgetTask, UnlearningContext
from unlearning.methods._losses import descend, true_loss
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.ranges import Ranges, logarithmic

_LEAST = 1e-6
"""The least of 1 + cos: where the gradients are opposite there is no bargain, and the update stays finite."""


def bisector(one: Sequence[Tensor], other: Sequence[Tensor]) -> list[Tensor]:
    """Return (a/|a| + b/|b|) / sqrt(1 + cos(a, b)), the Nash solution of two gradients, whose norm is sqrt(2)."""
    ones, others = (torch._foreach_div(list(part), flat_norm(part) + 1e-12) for part in (one, other))
    scale = (1 + flat_product(ones, others)).clamp(min=_LEAST).rsqrt()
    return list(torch._foreach_mul(torch._foreach_add(ones, others), scale))


def _bargain(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    losses = [true_loss(batch) for batch in batches]
    retain, forget = (step.gradients(loss) for loss in losses)
    return torch.stack(losses).mean(), clipped(bisector(retain, forget), step.numbers[0])


class MUNBa(DescentMethod):
    """Steps along the bisector of the gradients of D_r and of D_f with random labels; then the rest of D_r."""

    name: Literal["munba"] = "munba"
    title: ClassVar[str] = "MUNBa"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.2),
        "clip": logarithmic(0.1, 2.0),
        "schedule": SCHEDULES,
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    clip: Annotated[float, Gt(0), Field(description="largest norm of an update that both sets agree on")] = 1.0

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pair the batches of D_f with the first of D_r, and pass over what is left of D_r."""
        forget, retain = self.streams(context.task, epoch.order_N)
        forget = replace(forget, labels_M=self.draw_labels(context.task, forget, epoch))
        pairs = min(len(forget.sizes), len(retain.sizes))
        both = StepPass((retain.part(0, pairs), forget.part(0, pairs)), _bargain, (self.clip,))
        rest = retain.part(pairs)
        return [both, StepPass((rest,), descend)] if rest.sizes else [both]

    def draw_labels(self, task: ForgetTask, forget: Stream, epoch: Epoch) -> Tensor:
        """Draw a label from any class for each forget image."""
        known_L = task.labels_N[task.in_train]
        return task.labelling.draw_labels(forget.labels_M, known_L, task.classes, "any", epoch.random)
