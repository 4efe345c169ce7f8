"""FCS: flatten the predictions for the forget set, push it away from the retain set, repair; the 2023 winner.

Source: the NeurIPS 2023 unlearning competition, "fanchuan", as ported by Cadet et al., "Deep Unlearn" (arXiv
2410.01276; xcadet/deepunlearn, ``kgltop1.py``).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor
from torch.nn.functional import log_softmax

from unlearning.engine import Batch, Step, StepPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import descend
from unlearning.methods._sgd import DescentMethod, Epoch, Pass
from unlearning.ranges import Ranges, logarithmic
from unlearning.tasks import MULTI_CLASS

_LAST_RATE = 1e-6
_FLATTEN, _CONTRAST = 1, 2
"""Numbers of the optimisers; that of the repair is 0."""


def _flatten(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    logits_BK = batches[0].logits_BK
    loss = MULTI_CLASS.divergence(torch.full_like(logits_BK, 1 / logits_BK.shape[1]), logits_BK)
    return loss, step.gradients(loss)


def _contrast(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    forget, retain = batches
    likeness_BB = forget.logits_BK @ retain.logits_BK.detach().T / step.numbers[0]
    loss = -log_softmax(likeness_BB, 1).mean()
    return loss, step.gradients(loss)


class FCS(DescentMethod):
    """One pass of D_f towards uniform predictions; then epochs of contrast with D_r and of fine-tuning on it."""

    name: Literal["fcs"] = "fcs"
    title: ClassVar[str] = "FCS"
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.1),
        "flatten_lr": logarithmic(1e-4, 5e-2),
        "contrast_lr": logarithmic(1e-5, 1e-2),
    }
    epochs: Annotated[int, Ge(1), Field(description="rounds of contrast and repair")] = 8
    lr: Annotated[float, Gt(0), Field(description="learning rate of the repair, which the schedule multiplies")] = 4e-3
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of the repair")] = 0.01
    flatten_lr: Annotated[float, Gt(0), Field(description="learning rate of the pass towards uniform predictions")] = (
        5e-3
    )
    contrast_lr: Annotated[float, Gt(0), Field(description="learning rate of the first contrast; a cosine follows")] = (
        3e-4
    )
    contrast_temperature: Annotated[float, Gt(0), Field(description="temperature of the contrast")] = 1.15

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Begin the optimisers of the other two losses."""
        for number in (_FLATTEN, _CONTRAST):
            context.engine.begin(momentum=self.momentum, weight_decay=0.0, number=number)

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_f in the first epoch; then over pairs of batches of both, and over D_r."""
        forget, retain = self.streams(context.task, epoch.order_N)
        flatten = [StepPass((forget,), _flatten, optimizer=_FLATTEN)] if epoch.number == 1 else []
        pairs = min(len(forget.sizes), len(retain.sizes))
        paired = (forget.part(0, pairs), retain.part(0, pairs))
        contrast = StepPass(paired, _contrast, (self.contrast_temperature,), optimizer=_CONTRAST)
        return [*flatten, contrast, StepPass((retain,), descend)]

    def rates(self, epoch: Epoch, passes: Sequence[Pass]) -> Iterator[float]:
        """Yield the rates of the three parts."""
        *flatten, contrast, repair = passes
        for one in flatten:
            yield from [self.flatten_lr] * one.steps(self.batch_size)
        pairs = contrast.steps(self.batch_size)
        for step in range(pairs):
            progress = ((epoch.number - 1) * pairs + step) / (self.epochs * pairs)
            yield _LAST_RATE + (self.contrast_lr - _LAST_RATE) * (1 + math.cos(math.pi * progress)) / 2
        yield from super().rates(epoch, [repair])
