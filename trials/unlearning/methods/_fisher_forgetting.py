"""Fisher forgetting: add noise to each weight, the more the less the retain set depends on it; no training.

Source: Golatkar et al., "Eternal Sunshine of the Spotless Net", CVPR 2020 (arXiv 1911.04933), and the public code
(OPTML-Group/Unlearn-Saliency, ``fisher.py``, after AdityaGolatkar/SelectiveForgetting).
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from unlearning.engine import LAYERS, layers
from unlearning.fisher import squared_gradients
from unlearning.methods._base import Method, UnlearningContext
from unlearning.ranges import Ranges, logarithmic
from unlearning.seeds import generator

_DAMPING = 1e-8
_LARGEST, _LARGEST_OF_LAST = 1e3, 1e2
_WIDER = 10.0


def _as_likely(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """Return the cross-entropy, scaled so that its squared gradient is weighted by the label's probability."""
    probability_B1 = softmax(logits_BK.detach(), 1).gather(1, labels_B[:, None])
    return (probability_B1[:, 0].sqrt() * cross_entropy(logits_BK, labels_B, reduction="none")).sum()


class FisherForgetting(Method):
    """theta + normal noise of variance alpha / F, F being the diagonal Fisher information on D_r, within bounds."""

    name: Literal["fisher_forgetting"] = "fisher_forgetting"
    title: ClassVar[str] = "Fisher forgetting"
    works_on: ClassVar[tuple[type[nn.Module], ...]] = LAYERS
    ranges: ClassVar[Ranges] = {
        "alpha": logarithmic(1e-8, 1e-4),
    }
    epochs: Annotated[Literal[0], Field(description="epochs of unlearning")] = 0
    alpha: Annotated[float, Gt(0), Field(description="variance of the noise where F is 1")] = 1e-6
    samples: Annotated[int, Ge(1), Field(description="retain images that F is estimated on, at most")] = 1000

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Add the noise once; there are no epochs."""
        random = generator(seed, "noise")
        last = {id(parameter) for parameter in layers(context.engine)[-1].parameters()}
        information = self.information(context, seed)
        with torch.no_grad():
            for parameter, value in zip(context.model.parameters(), information, strict=True):
                spread = self.variance(value, is_last=id(parameter) in last).sqrt()
                noise = torch.randn(parameter.shape, generator=random).to(parameter.device)
                parameter.add_(spread * noise)
        return
        yield

    def information(self, context: UnlearningContext, seed: int) -> list[Tensor]:
        """Return the expected squared gradient on retain images, over labels as the network itself predicts them."""
        samples_S = context.task.retain_sample(self.samples, generator(seed, "samples"))
        engine = context.engine
        images_SCHW = engine.images_NCHW[samples_S.to(engine.device)]
        sums = [torch.zeros_like(parameter) for parameter in context.model.parameters()]
        for label in range(context.task.classes):
            labels_S = torch.full((len(samples_S),), label, device=engine.device)
            squared = squared_gradients(context.model, images_SCHW, labels_S, loss=_as_likely)
            torch._foreach_add_(sums, list(squared.values()))
            engine.images_trained += len(samples_S)
        return [value / len(samples_S) for value in sums]

    def variance(self, information: Tensor, *, is_last: bool) -> Tensor:
        """Return the variance of the noise of one parameter."""
        bounded = (1 / (information + _DAMPING)).clamp(max=_LARGEST_OF_LAST if is_last else _LARGEST)
        if bounded.ndim > 1:
            bounded = bounded.mean(1, keepdim=True).expand_as(bounded)
        return self.alpha * bounded * (_WIDER if is_last or bounded.ndim == 1 else 1.0)
