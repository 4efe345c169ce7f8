"""Entropy forgetting: push the predictions for the forget set towards the uniform, keep training on the retain set.

This is Lethe's own reading of the idea that forget images should leave the model undecided; it has no public code.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from annotated_types import Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import descend
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.ranges import Ranges, logarithmic
from unlearning.tasks import task_of


def _undecide(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    [forget] = batches
    loss = step.numbers[0] * -task_of(forget.labels_B).entropy(forget.logits_BK).mean()
    return loss, step.gradients(loss)


class EntropyForgetting(DescentMethod):
    """Minus the entropy of the predictions on D_f, then cross-entropy on D_r, in every epoch."""

    name: Literal["entropy_forgetting"] = "entropy_forgetting"
    title: ClassVar[str] = "entropy forgetting"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.2),
        "forget_weight": logarithmic(1e-2, 2.0),
        "schedule": SCHEDULES,
    }
    forget_weight: Annotated[float, Gt(0), Field(description="weight of the entropy on the forget set")] = 1.0

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_f, then over D_r."""
        forget, retain = self.streams(context.task, epoch.order_N)
        return [StepPass((forget,), _undecide, (self.forget_weight,)), StepPass((retain,), descend)]
