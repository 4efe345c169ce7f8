"""Scissorhands: re-draw the weights that the forget set depends on most, then descend on D_r and a little up on D_f.

Source: Wu and Harandi, "Scissorhands: Scrub Data Influence via Connection Sensitivity in Networks", ECCV 2024 (arXiv
2401.06187), and the public code (JingWu321/Scissorhands, ``SHs_cifar10.py``).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from pydantic import Field
from torch import Tensor, nn

from unlearning.engine import LAYERS, Batch, Step, StepPass, Stream, flat_product, layers, sum_gradients
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import true_loss
from unlearning.methods._sgd import DescentMethod, Epoch
from unlearning.ranges import Ranges, logarithmic
from unlearning.seeds import generator

_DAMPING, _MARGIN = 1e-3, 0.5


def _loss(batches: Sequence[Batch], step: Step) -> Tensor:
    loss = true_loss(batches[0])
    for forget in batches[1:]:
        loss = loss - step.numbers[0] * true_loss(forget)
    return loss


def _descend(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = _loss(batches, step)
    return loss, step.gradients(loss)


def _descend_projected(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = _loss(batches, step)
    gradients, memory = step.gradients(loss), list(step.kept["memory"])
    along, size = (flat_product(one, memory) for one in (gradients, memory))
    push = (-along / (size + _DAMPING)).clamp(min=_MARGIN)
    push = torch.where(along < 0, push, torch.zeros_like(push))
    return loss, torch._foreach_add(gradients, torch._foreach_mul(memory, push))


class Scissorhands(DescentMethod):
    """Re-draw the most sensitive weights of the last layers; then CE(D_r) minus a share of CE(D_f)."""

    name: Literal["scissorhands"] = "scissorhands"
    title: ClassVar[str] = "Scissorhands"
    works_on: ClassVar[tuple[type[nn.Module], ...]] = LAYERS
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 2
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.2),
        "redrawn_share": logarithmic(5e-3, 0.3),
        "forget_weight": logarithmic(5e-3, 0.5),
    }
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 256
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 5e-3
    redrawn_share: Annotated[
        float, Interval(ge=0, lt=1), Field(description="share of all weights that counts as sensitive")
    ] = 0.03
    layers_share: Annotated[
        float, Interval(gt=0, le=1), Field(description="share of the layers, counted from the last, that is re-drawn")
    ] = 0.5
    forget_weight: Annotated[float, Ge(0), Field(description="weight of the ascent on the forget set")] = 0.05
    projection: Annotated[
        bool, Field(description="turn the gradient where it would lower the forget loss, as gradient episodic memory")
    ] = False

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Re-draw the sensitive weights; the network's running statistics move with the batch that is probed."""
        self.set_mode(context.model)
        scores = self.sensitivity(context, generator(seed, "probe"))
        flat_P = torch.cat([score.flatten() for score in scores])
        threshold = flat_P.kthvalue(max(1, int((1 - self.redrawn_share) * len(flat_P)))).values
        redrawn, random = self._redrawn(context), generator(seed, "redraw")
        with torch.no_grad():
            for parameter, score in zip(context.model.parameters(), scores, strict=True):
                if id(parameter) in redrawn:
                    drawn = self.draw(parameter, random).to(parameter.device)
                    parameter.copy_(torch.where(score > threshold, drawn, parameter))

    def sensitivity(self, context: UnlearningContext, random: torch.Generator) -> list[Tensor]:
        """Return |gradient x weight| on a batch of D_f, one tensor a parameter."""
        gradients = sum_gradients(context.engine, self.probe(context, random))
        parameters = [one.detach() for one in context.model.parameters()]
        return [(one * other).abs() for one, other in zip(gradients, parameters, strict=True)]

    def draw(self, weight: Tensor, random: torch.Generator) -> Tensor:
        """Draw a layer's weights, uniform within 1 / sqrt(fan-in) of zero, and biases of zero, on the CPU."""
        if weight.ndim == 1:
            return torch.zeros(weight.shape)
        drawn: Tensor = (2 * torch.rand(weight.shape, generator=random) - 1) / weight[0].numel() ** 0.5
        return drawn

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pair the batches of D_f with the first of D_r, and pass over what is left of D_r."""
        forget, retain = self.streams(context.task, epoch.order_N)
        rule = _descend_projected if self.projection else _descend
        if self.projection:
            self._keep_memory(context, epoch.random)
        pairs = min(len(forget.sizes), len(retain.sizes))
        both = StepPass((retain.part(0, pairs), forget.part(0, pairs)), rule, (self.forget_weight,))
        rest = retain.part(pairs)
        return [both, StepPass((rest,), _descend)] if rest.sizes else [both]

    def _keep_memory(self, context: UnlearningContext, random: torch.Generator) -> None:
        """Keep the gradient of minus the loss of a batch of D_f, of the layers that were re-drawn."""
        context.model.eval()
        gradients = sum_gradients(context.engine, self.probe(context, random))
        self.set_mode(context.model)
        redrawn = self._redrawn(context)
        context.engine.keep(
            "memory",
            [
                -gradient if id(parameter) in redrawn else torch.zeros_like(gradient)
                for parameter, gradient in zip(context.model.parameters(), gradients, strict=True)
            ],
        )

    def probe(self, context: UnlearningContext, random: torch.Generator) -> Stream:
        """Draw one batch of D_f."""
        forget_F = context.task.forget_N.nonzero().flatten()
        forget_F = forget_F[torch.randperm(len(forget_F), generator=random)[: self.batch_size]]
        return Stream.cut(forget_F, context.task.labels_N[forget_F], self.batch_size)

    def _redrawn(self, context: UnlearningContext) -> set[int]:
        everything = layers(context.engine)
        last = everything[-max(1, round(self.layers_share * len(everything))) :]
        return {id(parameter) for layer in last for parameter in layer.parameters()}
