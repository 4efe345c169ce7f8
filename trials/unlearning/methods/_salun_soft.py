"""SalUn-soft: random labels, and after each step the weights that moved least go back to where they were.

Source: Fan et al., "SalUn", ICLR 2024 (arXiv 2310.12508), section 4, "soft-thresholding", and the authors' public code
(OPTML-Group/Unlearn-Saliency, ``RL_pro.py``).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Interval
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, DataPass, Step, StepPass, Stream
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import descend
from unlearning.methods._random_label import RandomLabel, WeightedLoss
from unlearning.methods._sgd import SCHEDULES, Epoch
from unlearning.ranges import Ranges, logarithmic, plain
from unlearning.tasks import task_of


def _weighted(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = WeightedLoss(step.numbers[1], task_of(batches[0].labels_B))(batches[0].logits_BK, batches[0].labels_B)
    return loss, step.gradients(loss)


@torch.no_grad()
def shrink_moves(step: Step) -> None:
    """Soft-threshold the moves away from the weights that are kept, by the size that a share of them is within."""
    moves = torch._foreach_sub(list(step.parameters), list(step.kept["anchor"]))
    sizes_P = torch.cat([move.abs().flatten() for move in moves]).sort().values
    place = (step.numbers[0].double() * len(sizes_P)).long() - 1
    threshold = torch.where(place >= 0, sizes_P.index_select(0, place.clamp(min=0).view(1)), 0.0)
    for parameter, anchor, move in zip(step.parameters, step.kept["anchor"], moves, strict=True):
        parameter.copy_(anchor + move.sign() * (move.abs() - threshold).clamp(min=0))


class SalUnSoft(RandomLabel):
    """Random labels without a saliency mask; a share of the weights, which falls to zero, is held where it was."""

    later: ClassVar[tuple[str, ...]] = ()
    name: Literal["salun_soft"] = "salun_soft"  # type: ignore[assignment]
    title: ClassVar[str] = "SalUn-soft"
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.2),
        "held_share": plain(0.1, 0.9),
        "schedule": SCHEDULES,
        "forget_weight": logarithmic(0.1, 2.0),
    }
    held_share: Annotated[
        float, Interval(gt=0, le=1), Field(description="share of the weights that is held in the first epoch")
    ] = 0.5
    anchor: Annotated[
        Literal["original", "epoch"],
        Field(description="hold weights at the original, or as the authors' code at the start of the epoch"),
    ] = "original"

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Keep the original's weights."""
        context.engine.keep("anchor", list(context.model.parameters()))

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over the images as random labels do, and shrink the moves after each step."""
        if self.anchor == "epoch":
            context.engine.keep("anchor", list(context.model.parameters()))
        share = self.held_share * (self.epochs - epoch.number + 1) / self.epochs
        rule = descend if self.forget_weight == 1 else _weighted
        return [
            StepPass((self._cut(one),), rule, (share, self.forget_weight), end=shrink_moves)
            for one in self.data_passes(context.task, epoch.order_N, epoch.random)
        ]

    def _cut(self, data_pass: DataPass) -> Stream:
        return Stream.cut(data_pass.indices_M, data_pass.labels_M, self.batch_size)
