"""CT: transpose the kernels of the convolutions, then fine-tune on the retain set.

Source: the NeurIPS 2023 unlearning competition, "amnesiacs", as ported by Cadet et al., "Deep Unlearn" (arXiv
2410.01276; xcadet/deepunlearn, ``kgltop5.py``).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import nn

from unlearning.engine import DataPass
from unlearning.methods._base import UnlearningContext
from unlearning.methods._sgd import DescentMethod, Epoch, Pass
from unlearning.ranges import Ranges, logarithmic


@torch.no_grad()
def transpose_kernels(model: nn.Module) -> None:
    """Swap height and width of every square kernel; others stay."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] == module.kernel_size[1]:
            module.weight.copy_(module.weight.transpose(2, 3).clone())


class ConvolutionTranspose(DescentMethod):
    """Every kernel W[o, i, a, b] becomes W[o, i, b, a]; then cross-entropy on D_r."""

    name: Literal["ct"] = "ct"
    title: ClassVar[str] = "CT"
    works_on: ClassVar[tuple[type[nn.Module], ...]] = (nn.Conv2d,)
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "weight_decay": logarithmic(1e-5, 1e-2),
    }
    epochs: Annotated[int, Ge(1), Field(description="epochs of unlearning")] = 3
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 64
    lr: Annotated[float, Gt(0), Field(description="learning rate of the first epoch; a cosine of epochs follows")] = (
        1e-3
    )

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Transpose the kernels."""
        transpose_kernels(context.model)

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[DataPass]:
        """Pass over D_r."""
        return [context.task.retain_pass(epoch.order_N)]

    def rates(self, epoch: Epoch, passes: Sequence[Pass]) -> Iterator[float]:
        """Multiply the scheduled rates by half a cosine that falls from epoch to epoch."""
        factor = (1 + math.cos(math.pi * (epoch.number - 1) / self.epochs)) / 2
        return (rate * factor for rate in super().rates(epoch, passes))
