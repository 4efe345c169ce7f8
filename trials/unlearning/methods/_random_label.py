"""Random labels on the forget set, the retain set beside it: SalUn without a mask.

Source: Golatkar et al., CVPR 2020; the two loops are those of the SalUn authors' public code (``RL.py`` and its
"mixed" form).
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import DataPass
from unlearning.methods._base import ForgetTask
from unlearning.methods._sgd import SCHEDULES, SGDMethod
from unlearning.ranges import Ranges, logarithmic
from unlearning.tasks import LabelTask, Relabel


@dataclass(frozen=True)
class WeightedLoss:
    """Mean loss in which the forget images, whose labels are marked (`LabelTask.marked`), have a weight."""

    weight: float | Tensor
    task: LabelTask

    def __call__(self, logits_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return the batch's loss."""
        labels_B, forget_B = self.task.unmarked(labels_B, logits_BK.shape[1])
        weights_B = torch.where(forget_B, self.weight, 1.0)
        return (weights_B * self.task.losses(logits_BK, labels_B)).mean()


class RandomLabel(SGDMethod):
    """Cross-entropy to random labels on D_f while training on D_r with its true labels.

    ``sequential`` passes over D_f and then over D_r in every epoch, ``mixed`` shuffles them together. Labels are
    redrawn every epoch, from ``any`` class (so 1/K of them are right, as in the authors' code) or from the ``other``
    classes (the paper's formula; with two classes that is label flipping).
    """

    later: ClassVar[tuple[str, ...]] = (*SGDMethod.later, "forget_weight")
    name: Literal["random_label"] = "random_label"
    title: ClassVar[str] = "random label"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.2),
        "schedule": SCHEDULES,
        "forget_weight": logarithmic(0.1, 2.0),
    }
    loop: Annotated[
        Literal["sequential", "mixed"], Field(description="forget before retain, or both shuffled together")
    ] = "sequential"
    relabel: Annotated[Relabel, Field(description="draw labels from any class or from the other ones")] = "any"

    forget_weight: Annotated[float, Gt(0), Field(description="factor on the loss of forget images")] = 1.0

    def data_passes(self, task: ForgetTask, order_N: Tensor, random: torch.Generator) -> list[DataPass]:
        """Draw labels for all of D_f and pass over it before, or among, D_r."""
        labels_N = task.labels_N.clone()
        labels_N[task.forget_N] = self._draw(task, random)
        passes = self._unweighted(task, labels_N, order_N)
        if self.forget_weight == 1:
            return passes
        loss = WeightedLoss(self.forget_weight, task.labelling)
        return [replace(one, labels_M=self._marked(one, task), loss=loss) for one in passes]

    def _unweighted(self, task: ForgetTask, labels_N: Tensor, order_N: Tensor) -> list[DataPass]:
        if self.loop == "mixed":
            both_M = order_N[task.in_train[order_N]]
            return [DataPass(both_M, labels_N[both_M])]
        forget = task.forget_pass(order_N)
        return [replace(forget, labels_M=labels_N[forget.indices_M]), task.retain_pass(order_N)]

    def _draw(self, task: ForgetTask, random: torch.Generator) -> Tensor:
        true_F, known_L = task.labels_N[task.forget_N], task.labels_N[task.in_train]
        return task.labelling.draw_labels(true_F, known_L, task.classes, self.relabel, random)

    def _marked(self, one: DataPass, task: ForgetTask) -> Tensor:
        return task.labelling.marked(one.labels_M, task.forget_N[one.indices_M], task.classes)
