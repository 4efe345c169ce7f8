"""SSD: dampen the weights that matter more to the forget set than to all of train; no training.

Source: Foster et al., "Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening", AAAI 2024
(arXiv 2308.07707), equations 6 and 7, and the public code (if-loops/selective-synaptic-dampening, ``ssd.py``). The
adaptive threshold is that of ASSD (pedroandreou/supreme-unlearning, ``assd.py``).
"""

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.errors import InputError
from unlearning.methods._base import ForgetTask, Method, UnlearningContext
from unlearning.methods._fisher_pairs import FISHERS, Importance, of_forget_and_train
from unlearning.ranges import Ranges, logarithmic


class SSD(Method):
    """Where I_f > alpha I_D, multiply a weight by min(strength I_D / I_f, 1)."""

    name: Literal["ssd"] = "ssd"
    title: ClassVar[str] = "SSD"
    multi_label: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = FISHERS
    ranges: ClassVar[Ranges] = {
        "alpha": logarithmic(1.0, 4.0),
        "strength": logarithmic(0.3, 3.0),
    }
    epochs: Annotated[Literal[0], Field(description="epochs of unlearning")] = 0
    selection: Annotated[
        Literal["alpha", "adaptive"],
        Field(description="select weights above alpha, or above a percentile that the size of the forget set decides"),
    ] = "alpha"
    alpha: Annotated[
        float, Gt(0), Field(description="a weight is dampened where I_f exceeds this many times I_D; below n / n_f")
    ] = 10.0
    strength: Annotated[
        float, Gt(0), Field(description="lambda: a dampened weight is multiplied by lambda I_D / I_f")
    ] = 1.0
    importance: Annotated[
        Importance, Field(description="square the gradient of each image, or as the authors' code of each batch")
    ] = "image"
    batch_size: Annotated[int, Ge(1), Field(description="images in a batch whose gradient is squared")] = 256

    @property
    def needs(self) -> tuple[str, ...]:
        """The Fisher information, where it is that of images."""
        return self.requires if self.importance == "image" else ()

    def fault(self, forgotten: int, images: int) -> str | None:
        """Refuse an alpha that selects no weight: D contains D_f, so I_f is at most n / n_f times I_D."""
        largest = images / max(1, forgotten)
        if self.importance == "batch" or self.selection == "adaptive" or self.alpha < largest:
            return None
        return (
            f"alpha {self.alpha:g} selects no weight where {forgotten} of {images} images are to be forgotten: no "
            f"I_f exceeds n / n_f = {largest:.3g} times I_D; wanted alpha below {largest:.3g}, or selection: adaptive"
        )

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Dampen once; there are no epochs.

        Raises:
            InputError: alpha is so large that no weight can be selected.
        """
        task = context.task
        if fault := self.fault(int(task.forget_N.sum()), int(task.in_train.sum())):
            raise InputError(f"ssd: {fault}")
        forget, train = of_forget_and_train(context, self.importance, self.batch_size)
        alpha = self._adaptive(task, forget, train) if self.selection == "adaptive" else self.alpha
        with torch.no_grad():
            for parameter, of_forget, of_train in zip(context.model.parameters(), forget, train, strict=True):
                factor = (self.strength * of_train / of_forget).clamp(max=1)
                parameter.copy_(torch.where(of_forget > alpha * of_train, parameter * factor, parameter))
        return
        yield

    def _adaptive(self, task: ForgetTask, forget: list[Tensor], train: list[Tensor]) -> float:
        ratios_P = torch.cat(
            [(one / other).nan_to_num(0.0).flatten() for one, other in zip(forget, train, strict=True)]
        )
        percent = 100 - math.log(1 + 100 * float(task.forget_N[task.in_train].double().mean()))
        rank = math.ceil(percent / 100 * len(ratios_P))
        return float(ratios_P.sort().values[min(max(rank, 1), len(ratios_P)) - 1])
