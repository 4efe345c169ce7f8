"""Influence unlearning: one Newton-like step that takes the forget set's pull out of the weights.

Source: Izzo et al., AISTATS 2021 (arXiv 2002.10077) and Jia et al., "Model Sparsity Can Simplify Machine Unlearning",
NeurIPS 2023 (arXiv 2304.04934); WoodFisher is that of Singh and Alistarh, NeurIPS 2020 (arXiv 2004.14340). The public
recursion is that of OPTML-Group/Unlearn-Saliency, ``Wfisher.py``.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.engine import Stream, flat_product, gradients_along, sum_gradients
from unlearning.methods._base import Method, UnlearningContext
from unlearning.ranges import Ranges, logarithmic
from unlearning.seeds import generator
from unlearning.tasks import summed_loss

_PRECISION = 1e-6
_ROUNDS = 50

Vector = list[Tensor]


class Influence(Method):
    """theta + alpha (I + F)^-1 v, v being the change of the mean gradient when D_f is left out; no training."""

    name: Literal["influence"] = "influence"
    title: ClassVar[str] = "influence unlearning"
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "alpha": logarithmic(0.1, 100.0),
        "scale": logarithmic(100.0, 10000.0),
    }
    epochs: Annotated[Literal[0], Field(description="epochs of unlearning")] = 0
    alpha: Annotated[float, Gt(0), Field(description="length of the step")] = 10.0
    inverse: Annotated[
        Literal["woodfisher", "public"],
        Field(description="the inverse of I + F, or the recursion of the public code, which is not that"),
    ] = "woodfisher"
    samples: Annotated[int, Ge(1), Field(description="retain images that F is estimated on, at most")] = 1000
    scale: Annotated[float, Gt(0), Field(description="N: F is the sum of squared gradients over this number")] = 1000.0
    batch_size: Annotated[int, Ge(1), Field(description="images a pass")] = 256

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Move the weights once; there are no epochs."""
        context.model.eval()
        pull = self.pull(context)
        samples_S = self.retain_sample(context, seed)
        invert = self.woodfisher if self.inverse == "woodfisher" else self.public
        step = invert(context, pull, samples_S)
        with torch.no_grad():
            for parameter, part in zip(context.model.parameters(), step, strict=True):
                parameter.add_(part, alpha=self.alpha)
        return
        yield

    def pull(self, context: UnlearningContext) -> Vector:
        """Return v = G_f / n - G_r n_f / (n n_r), from the summed gradients of D_f and D_r."""
        task = context.task
        count, forgotten = int(task.in_train.sum()), int(task.forget_N.sum())
        sums = []
        for part_N in (task.forget_N, task.in_retain):
            indices_M = part_N.nonzero().flatten()
            stream = Stream.cut(indices_M, task.labels_N[indices_M], self.batch_size)
            sums.append(sum_gradients(context.engine, stream, summed_loss))
        share = forgotten / (count * (count - forgotten))
        return [mine / count - theirs * share for mine, theirs in zip(*sums, strict=True)]

    def retain_sample(self, context: UnlearningContext, seed: int) -> Tensor:
        """Draw the retain images that F is estimated on."""
        return context.task.retain_sample(self.samples, generator(seed, "samples"))

    def woodfisher(self, context: UnlearningContext, pull: Vector, samples_S: Tensor) -> Vector:
        """Solve (I + sum of g g^T / N) k = v by conjugate gradients, without ever holding the matrix."""
        found = [torch.zeros_like(part) for part in pull]
        residual = [part.clone() for part in pull]
        direction, left = residual, flat_product(residual, residual)
        wanted = _PRECISION**2 * left
        for _ in range(_ROUNDS):
            if not left > wanted:
                break
            curved = torch._foreach_add(direction, self._fisher_product(context, direction, samples_S))
            length = left / flat_product(direction, curved)
            torch._foreach_add_(found, torch._foreach_mul(direction, length))
            residual = list(torch._foreach_sub(residual, torch._foreach_mul(list(curved), length)))
            before, left = left, flat_product(residual, residual)
            direction = list(torch._foreach_add(residual, torch._foreach_mul(direction, left / before)))
        return found

    def public(self, context: UnlearningContext, pull: Vector, samples_S: Tensor) -> Vector:
        """Run the recursion of the public code over one image after another."""
        found = [part.clone() for part in pull]
        labels_N = context.task.labels_N
        scaled: Vector = []
        for index in samples_S:
            gradient = sum_gradients(context.engine, Stream.cut(index[None], labels_N[index][None], 1))
            if not scaled:
                scaled = gradient
                continue
            along = flat_product(scaled, gradient)
            weight = 1 / (self.scale + along)
            torch._foreach_sub_(found, torch._foreach_mul(scaled, flat_product(found, gradient) * weight))
            scaled = list(torch._foreach_sub(scaled, torch._foreach_mul(scaled, along * weight)))
        return found

    def _fisher_product(self, context: UnlearningContext, vector: Vector, samples_S: Tensor) -> Vector:
        """Return the sum over the samples of g (g . vector), divided by N."""
        stream = Stream.cut(samples_S, context.task.labels_N[samples_S], self.batch_size)
        product = gradients_along(context.engine, stream, vector)
        return list(torch._foreach_div(product, self.scale))
