"""NegGrad+: descent on the retain set and ascent on the forget set in one step.

Source: Kurmanji et al., "Towards Unbounded Machine Unlearning", NeurIPS 2023 (arXiv 2302.09880), section 4, and the
public code (meghdadk/SCRUB, ``loops.py``, ``small_scale_unlearning.ipynb``).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import true_loss
from unlearning.methods._sgd import DescentMethod, Epoch
from unlearning.ranges import Ranges, choices, logarithmic


def _opposed(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    retain, forget = batches
    loss = step.numbers[0] * true_loss(retain) - step.numbers[1] * true_loss(forget)
    return loss, step.gradients(loss)


@torch.no_grad()
def _pulled_back(gradients: Sequence[Tensor], step: Step) -> list[Tensor]:
    away = torch._foreach_sub(list(step.parameters), list(step.kept["original"]))
    return list(torch._foreach_add(list(gradients), torch._foreach_mul(away, step.numbers[2])))


def _opposed_near_the_original(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss, gradients = _opposed(batches, step)
    return loss, _pulled_back(gradients, step)


class NegGradPlus(DescentMethod):
    """alpha times the loss of a retain batch, minus (1 - alpha) times that of a forget batch; an epoch passes D_r."""

    name: Literal["neggrad_plus"] = "neggrad_plus"
    title: ClassVar[str] = "NegGrad+"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-4, 0.2),
        "alpha": choices(0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999),
        "momentum": choices(0.0, 0.9),
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    momentum: Annotated[float, Interval(ge=0, lt=1), Field(description="momentum of SGD")] = 0.0
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of SGD")] = 0.0
    alpha: Annotated[float, Interval(gt=0, le=1), Field(description="weight of the retain batch against 1 - alpha")] = (
        0.95
    )
    distance_weight: Annotated[
        float, Ge(0), Field(description="weight of half the squared distance to the original, within alpha's share")
    ] = 0.0

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Keep the original's weights, where the distance to them counts."""
        if self.distance_weight:
            context.engine.keep("original", list(context.model.parameters()))

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pair each batch of D_r with the next one of D_f, whose batches come again and again."""
        forget, retain = self.streams(context.task, epoch.order_N)
        rule = _opposed_near_the_original if self.distance_weight else _opposed
        numbers = (self.alpha, 1 - self.alpha, self.alpha * self.distance_weight)
        return [StepPass((retain, forget.cycled(len(retain.sizes))), rule, numbers)]
