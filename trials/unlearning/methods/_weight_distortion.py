"""Weight distortion and its kin: take the weights far from the original, then fine-tune on the retain set.

Source: Siddiqui et al., "From Dormant to Deleted: Tamper-Resistant Unlearning Through Weight-Space Regularization"
(arXiv 2505.22310), and the public code (shoaibahmed/vision_relearning, ``vision_unlearner.py``, ``model_utils.py``).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import torch
from annotated_types import Gt
from pydantic import Field, model_validator
from torch import Tensor

from unlearning.engine import Batch, Step, StepPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import descend, true_loss
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.ranges import Ranges, logarithmic
from unlearning.seeds import generator

_DAMPING = 1e-8


def _away(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    """Subtract the root mean square of all moves, times a weight, whose gradient is written out."""
    loss = true_loss(batches[0])
    gradients = step.gradients(loss)
    with torch.no_grad():
        moves = list(torch._foreach_sub(list(step.parameters), list(step.kept["original"])))
        count = sum(move.numel() for move in moves)
        squares = torch.stack([move.square().sum() for move in moves]).sum()
        scale = step.numbers[0] / (count * (squares / count + _DAMPING).sqrt())
        return loss, torch._foreach_sub(gradients, torch._foreach_mul(moves, scale))


class WeightDistortion(DescentMethod):
    """Distort all weights once, or reward their distance from the original in every step; cross-entropy on D_r."""

    name: Literal["weight_distortion"] = "weight_distortion"
    title: ClassVar[str] = "weight distortion"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "strength": logarithmic(3e-3, 0.3),
        "schedule": SCHEDULES,
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    distortion: Annotated[
        Literal["noise", "attenuate", "drop", "distance"],
        Field(
            description="noise: add normal noise; attenuate: multiply by a factor; drop: set a share to zero; "
            "distance: distort nothing, and subtract the root mean square of the moves from the loss"
        ),
    ] = "noise"
    strength: Annotated[
        float,
        Gt(0),
        Field(description="standard deviation of the noise, the factor, the share, or the weight"),
    ] = 0.02

    @model_validator(mode="after")
    def _a_share(self) -> Self:
        if self.distortion in ("attenuate", "drop") and self.strength >= 1:
            raise ValueError(f"strength: wanted a number below 1 to {self.distortion}, got {self.strength:g}")
        return self

    @torch.no_grad()
    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Distort the weights, or keep the original's."""
        parameters: list[Tensor] = list(context.model.parameters())
        random = generator(seed, "distortion")
        if self.distortion == "distance":
            context.engine.keep("original", parameters)
        elif self.distortion == "attenuate":
            torch._foreach_mul_(parameters, self.strength)
        else:
            for parameter in parameters:
                self._distort(parameter, random)

    def _distort(self, parameter: Tensor, random: torch.Generator) -> None:
        if self.distortion == "noise":
            parameter.add_(torch.randn(parameter.shape, generator=random).to(parameter.device), alpha=self.strength)
        else:
            kept = torch.rand(parameter.shape, generator=random) > self.strength
            parameter.mul_(kept.to(parameter.device))

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_r."""
        retain = self.streams(context.task, epoch.order_N)[1]
        if self.distortion == "distance":
            return [StepPass((retain,), _away, (self.strength,))]
        return [StepPass((retain,), descend)]
