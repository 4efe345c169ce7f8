"""Bad Teacher: learn the forget set from a network that knows nothing, the retain set from the original.

Source: Chundawat et al., "Can Bad Teaching Induce Forgetting?", AAAI 2023 (arXiv 2205.08096), equation 4, and the
public code (vikram2000b/bad-teaching-unlearning, ``unlearn.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, OptimizerName, Step, StepPass, Stream
from unlearning.methods._base import UnlearningContext
from unlearning.methods._sgd import DescentMethod, Epoch
from unlearning.methods._weights import fresh_weights
from unlearning.ranges import Ranges, choices, logarithmic, plain
from unlearning.seeds import derive, generator
from unlearning.tasks import LabelTask


@dataclass(frozen=True)
class _TwoTeachers:
    """The divergence from the teacher that a batch's labels choose for each image, by the task of the true labels."""

    task: LabelTask

    def __call__(self, batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the loss and its gradient."""
        [batch] = batches
        forget_B1 = batch.labels_B[:, None] == 1
        teacher_BK = torch.where(forget_B1, batch.taught["random"], batch.taught["original"])
        target_BK = self.task.probabilities(teacher_BK / step.numbers[0])
        loss = step.numbers[1] * self.task.divergence(target_BK, batch.logits_BK, step.numbers[0])
        return loss, step.gradients(loss)


class BadTeacher(DescentMethod):
    """Distil a random network on D_f and the original on a share of D_r, both shuffled together."""

    name: Literal["bad_teacher"] = "bad_teacher"
    title: ClassVar[str] = "Bad Teacher"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-5, 1e-2),
        "epochs": plain(1, 5),
        "temperature": choices(1.0, 2.0, 4.0),
    }
    epochs: Annotated[int, Ge(1), Field(description="epochs of unlearning")] = 1
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 1e-4
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay")] = 0.0
    optimizer: Annotated[OptimizerName, Field(description="Adam (momentum is its beta1) or SGD")] = "adam"
    temperature: Annotated[float, Gt(0), Field(description="temperature of the softmax that is distilled")] = 1.0
    retain_share: Annotated[float, Interval(gt=0, le=1), Field(description="share of the retain set that is shown")] = (
        0.3
    )
    reduction: Annotated[
        Literal["batch", "elements"],
        Field(description="divide the divergence by the images, or as the authors' code also by the classes"),
    ] = "batch"

    @property
    def descent(self) -> OptimizerName:
        """The optimiser."""
        return self.optimizer

    def prepare(self, context: UnlearningContext, seed: int) -> Tensor:
        """Make the two teachers, and draw which images of D_r are shown."""
        context.engine.teach("original")
        context.engine.teach("random", self.random_teacher(context, seed))
        task = context.task
        count = max(1, int(self.retain_share * int(task.in_retain.sum())))
        shown_N = task.forget_N.clone()
        shown_N[task.retain_sample(count, generator(seed, "retain share"))] = True
        return shown_N

    def random_teacher(self, context: UnlearningContext, seed: int) -> dict[str, Tensor]:
        """Draw the weights of the teacher that knows nothing."""
        return fresh_weights(context.model, derive(seed, "random teacher"))

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_f and the images of D_r that are shown; a label says whether an image is forgotten."""
        indices_M = epoch.order_N[epoch.prepared[epoch.order_N]]
        forget_M = context.task.forget_N[indices_M].long()
        stream = Stream.cut(indices_M, forget_M, self.batch_size, ("original", "random"))
        scale = 1 / context.task.classes if self.reduction == "elements" else 1.0
        return [StepPass((stream,), _TwoTeachers(context.task.labelling), (self.temperature, scale))]
