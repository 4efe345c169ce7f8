"""DELETE: on the forget set, the original's own probabilities without the true class.

Source: Zhou et al., "Decoupled Distillation to Erase", CVPR 2025 (arXiv 2503.23751), and the public code
(shaaaaron/DELETE, ``method/delete.py``).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import true_loss, without_true_class
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.ranges import Ranges, logarithmic, plain


def _forget_alone(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = without_true_class(batches[0])
    return loss, step.gradients(loss)


def _beside_retain(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    forget, retain = batches
    loss = without_true_class(forget) + step.numbers[0] * true_loss(retain)
    return loss, step.gradients(loss)


class Delete(DescentMethod):
    """Distil the original with the true class masked on D_f; D_r is seen only where it has a weight."""

    name: Literal["delete"] = "delete"
    title: ClassVar[str] = "DELETE"
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-5, 0.05),
        "retain_weight": plain(0.0, 2.0),
        "schedule": SCHEDULES,
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of SGD")] = 0.0
    retain_weight: Annotated[
        float,
        Ge(0),
        Field(description="weight of the loss of a retain batch beside each forget batch; 0: none is seen"),
    ] = 0.0

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Make the original the teacher."""
        context.engine.teach("original")

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_f; with a retain weight over D_r, each batch with the next one of D_f."""
        forget, retain = self.streams(context.task, epoch.order_N)
        forget = replace(forget, teachers=("original",))
        if not self.retain_weight:
            return [StepPass((forget,), _forget_alone)]
        return [StepPass((forget.cycled(len(retain.sizes)), retain), _beside_retain, (self.retain_weight,))]
