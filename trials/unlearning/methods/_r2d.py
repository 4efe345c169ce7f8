"""Rewind and descend: go back to where the original's training was, and go on from there on the retain set.

Source: Mu and Klabjan, "Rewind-to-Delete: Certified Machine Unlearning for Nonconvex Functions" (arXiv 2409.09778), and
the public code (siqiaomu/r2d).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import DataPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.ranges import Ranges, choices, logarithmic
from unlearning.seeds import generator


class RewindDescend(DescentMethod):
    """Undo the last part of the original's training; then cross-entropy on D_r, and noise on all weights once."""

    name: Literal["r2d"] = "r2d"
    title: ClassVar[str] = "rewind and descend"
    multi_label: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = ("earlier_weights",)
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "undone": choices(10, 25, 50),
        "noise": logarithmic(1e-4, 0.03),
        "schedule": SCHEDULES,
    }
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.01
    undone: Annotated[
        Literal[10, 25, 50, 75], Field(description="percent of the epochs of the original's training that is undone")
    ] = 25
    noise: Annotated[
        float, Ge(0), Field(description="standard deviation of the normal noise that all weights get at the end")
    ] = 0.01

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Go back to the earlier weights.

        Raises:
            ValueError: the context has none.
        """
        if "earlier_weights" not in context.required:
            raise ValueError("rewinding needs earlier weights of the original, got none")
        weights: dict[int, dict[str, Tensor]] = context.required["earlier_weights"]
        context.model.load_state_dict(weights[self.undone])

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[DataPass]:
        """Pass over D_r."""
        return [context.task.retain_pass(epoch.order_N)]

    def end_epoch(self, context: UnlearningContext, seed: int, number: int, prepared: object) -> None:
        """Add the noise after the last epoch."""
        if number == self.epochs:
            self._add_noise(context, seed)

    @torch.no_grad()
    def _add_noise(self, context: UnlearningContext, seed: int) -> None:
        random = generator(seed, "noise")
        for parameter in context.model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=random).to(parameter.device), alpha=self.noise)
