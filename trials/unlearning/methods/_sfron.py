"""SFRon: among steps on the retain set, now and then one up on the forget set, on the weights that matter most to it.

Source: Huang et al., "Unified Gradient-Based Machine Unlearning with Remain Geometry Enhancement", NeurIPS 2024 (arXiv
2409.19732), section 4, and the public code (K1nght/Unified-Unlearning-w-Remain-Geometry, ``sfron.py``).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass, clipped
from unlearning.methods._base import UnlearningContext
from unlearning.methods._fisher_pairs import FISHERS, Importance, of_forget_and_retain
from unlearning.methods._losses import descend
from unlearning.methods._sgd import DescentMethod, Epoch, Pass
from unlearning.ranges import Ranges, choices, logarithmic
from unlearning.tasks import task_of

_TINY = 1e-15
_LEAST_LOSS = 1e-8


def _climb(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    [forget] = batches
    scale, power, norm = step.numbers[:3]
    losses_B = task_of(forget.labels_B).losses(forget.logits_BK, forget.labels_B)
    weights_B = losses_B.detach().clamp(min=_LEAST_LOSS) ** -power
    loss = -scale * (weights_B / weights_B.sum() * losses_B).sum()
    return loss, clipped(torch._foreach_mul(step.gradients(loss), list(step.kept["mask"])), norm)


class SFRon(DescentMethod):
    """A step on every batch of D_r; before every few of them a masked, clipped and fading ascent on a batch of D_f."""

    name: Literal["sfron"] = "sfron"
    title: ClassVar[str] = "SFRon"
    multi_label: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = FISHERS
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.2),
        "alpha": logarithmic(0.1, 100.0),
        "forget_every": choices(2, 5, 10),
    }
    epochs: Annotated[int, Ge(1), Field(description="passes over the retain set")] = 5
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 128
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    schedule: Annotated[
        Literal["constant", "cosine", "linear"], Field(description="how the learning rate falls: not, or to zero")
    ] = "cosine"
    alpha: Annotated[float, Ge(0), Field(description="weight of the first ascent; a cosine to zero follows")] = 25.0
    power: Annotated[
        float, Ge(0), Field(description="lambda: an image weighs in proportion to its loss to the power of minus this")
    ] = 0.5
    forget_every: Annotated[int, Ge(1), Field(description="steps on the retain set from one ascent to the next")] = 5
    clip: Annotated[float, Gt(0), Field(description="largest norm of the gradient of an ascent")] = 7.0
    ratio: Annotated[
        float,
        Gt(0),
        Field(description="an ascent moves the weights whose Fisher information on D_f is this times D_r's"),
    ] = 1.0
    importance: Annotated[
        Importance, Field(description="square the gradient of each image, or as the authors' code of each batch")
    ] = "image"

    @property
    def needs(self) -> tuple[str, ...]:
        """The Fisher information, where it is that of images."""
        return self.requires if self.importance == "image" else ()

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Keep the mask of the ascents."""
        forget, retain = of_forget_and_retain(context, self.importance, self.batch_size)
        context.engine.keep(
            "mask",
            [
                ((mine + _TINY) / (theirs + _TINY) >= self.ratio).float()
                for mine, theirs in zip(forget, retain, strict=True)
            ],
        )

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_r, and go on with the batches of D_f where the epoch before stopped."""
        forget, retain = self.streams(context.task, epoch.order_N)
        steps, passes = len(retain.sizes), []
        for number in range(steps):
            done = (epoch.number - 1) * steps + number
            if done % self.forget_every == 0:
                batch = done // self.forget_every % len(forget.sizes)
                scale = self.alpha * (1 + math.cos(math.pi * done / (self.epochs * steps))) / 2
                one = forget.part(batch, batch + 1)
                passes.append(StepPass((one,), _climb, (scale, self.power, self.clip)))
            passes.append(StepPass((retain.part(number, number + 1),), descend))
        return passes

    def rates(self, epoch: Epoch, passes: Sequence[Pass]) -> Iterator[float]:
        """Take an ascent at the rate of the step that follows it."""
        descents = [one for one in passes if isinstance(one, StepPass) and one.rule is descend]
        scheduled = super().rates(epoch, descents)
        waiting = 0
        for one in passes:
            waiting += 1
            if isinstance(one, StepPass) and one.rule is descend:
                yield from [next(scheduled)] * waiting
                waiting = 0
