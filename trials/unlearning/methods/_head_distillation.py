"""Head distillation: retrain the last layer alone, so that the outputs forget and the features keep everything.

It is a control: it shows what audits of outputs alone cannot see. Source: Jeon et al., "An Information Theoretic
Evaluation Metric For Strong Unlearning" (arXiv 2405.17878), which has no public code.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softmax

from unlearning.engine import LAYERS, Batch, Step, StepPass, layers
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import without_true_class
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.ranges import Ranges, logarithmic
from unlearning.tasks import MULTI_CLASS

_TEACHERS = ("original",)


def _forget(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = step.numbers[0] * without_true_class(batches[0])
    return loss, step.gradients(loss)


def _keep(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = MULTI_CLASS.divergence(softmax(batches[0].taught["original"], 1), batches[0].logits_BK)
    return loss, step.gradients(loss)


class HeadDistillation(DescentMethod):
    """Distil the original into its own last layer, on D_f without the true class; everything before it stays."""

    name: Literal["head_distillation"] = "head_distillation"
    title: ClassVar[str] = "head distillation"
    works_on: ClassVar[tuple[type[nn.Module], ...]] = LAYERS
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 1.0),
        "forget_weight": logarithmic(1e-2, 2.0),
        "schedule": SCHEDULES,
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of SGD")] = 0.0
    batch_norm: Annotated[
        Literal["update", "freeze"], Field(description="running statistics of batch norm while unlearning")
    ] = "freeze"
    forget_weight: Annotated[float, Gt(0), Field(description="weight of the divergence on the forget set")] = 1.0

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Make the original the teacher."""
        context.engine.teach("original")

    def masks(self, context: UnlearningContext, seed: int) -> list[Tensor]:
        """Freeze everything but the last layer."""
        head = {id(parameter) for parameter in layers(context.engine)[-1].parameters()}
        return [
            torch.full(parameter.shape, id(parameter) in head, device=parameter.device)
            for parameter in context.model.parameters()
        ]

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_f, then over D_r."""
        forget, retain = (replace(one, teachers=_TEACHERS) for one in self.streams(context.task, epoch.order_N))
        return [StepPass((forget,), _forget, (self.forget_weight,)), StepPass((retain,), _keep)]
