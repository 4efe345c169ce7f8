"""l1-sparse: fine-tuning on the retain set under a penalty that drives weights to zero.

Source: Jia et al., "Model Sparsity Can Simplify Machine Unlearning", NeurIPS 2023 (arXiv 2304.04934), equation 6, and
the public code (OPTML-Group/Unlearn-Sparse, ``FT_prune.py``).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import true_loss
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.ranges import Ranges, logarithmic


def _sparse(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = true_loss(batches[0])
    signs = torch._foreach_sign([one.detach() for one in step.parameters])
    return loss, torch._foreach_add(step.gradients(loss), torch._foreach_mul(signs, step.numbers[0]))


class L1Sparse(DescentMethod):
    """Cross-entropy on D_r plus alpha times the sum of the absolute values of all parameters."""

    name: Literal["l1_sparse"] = "l1_sparse"
    title: ClassVar[str] = "l1-sparse"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "alpha": logarithmic(1e-6, 1e-3),
        "schedule": SCHEDULES,
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    alpha: Annotated[float, Ge(0), Field(description="weight of the penalty in the first epoch")] = 5e-4
    penalty: Annotated[
        Literal["falling", "constant"], Field(description="how the penalty's weight changes from epoch to epoch")
    ] = "falling"
    unpenalised_epochs: Annotated[int, Ge(0), Field(description="epochs at the end without a penalty")] = 0

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_r."""
        retain = self.streams(context.task, epoch.order_N)[1]
        return [StepPass((retain,), _sparse, (self.alpha * self._share(epoch.number),))]

    def _share(self, number: int) -> float:
        penalised = self.epochs - self.unpenalised_epochs
        if number > penalised:
            return 0.0
        return 1 - (number - 1) / penalised if self.penalty == "falling" else 1.0
