"""MSG: re-draw the convolution weights with the smallest gradient, then fine-tune on the retain set.

Source: the NeurIPS 2023 unlearning competition, "kookmin", as ported by Cadet et al., "Deep Unlearn" (arXiv 2410.01276;
xcadet/deepunlearn, ``kgltop2.py``).
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from pydantic import Field
from torch import Tensor, nn

from unlearning.engine import Batch, Step, StepPass, Stream, sum_gradients
from unlearning.methods._base import UnlearningContext
from unlearning.methods._losses import true_loss
from unlearning.methods._sgd import DescentMethod, Epoch, Pass
from unlearning.ranges import Ranges, choices, logarithmic, plain
from unlearning.seeds import generator


def _scaled(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    loss = true_loss(batches[0])
    return loss, torch._foreach_mul(step.gradients(loss), list(step.kept["factors"]))


class MSG(DescentMethod):
    """Re-draw the share of each convolution on which D_f and D_r agree most; the other weights learn more slowly."""

    name: Literal["msg"] = "msg"
    title: ClassVar[str] = "MSG"
    works_on: ClassVar[tuple[type[nn.Module], ...]] = (nn.Conv2d,)
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "redrawn_share": plain(0.05, 0.6),
        "kept_factor": choices(0.0, 0.1, 0.3, 1.0),
    }
    epochs: Annotated[int, Ge(1), Field(description="epochs of unlearning")] = 5
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 64
    lr: Annotated[float, Gt(0), Field(description="peak learning rate; it rises and falls from epoch to epoch")] = 1e-3
    redrawn_share: Annotated[
        float, Interval(ge=0, le=1), Field(description="share of each convolution's weights that is drawn anew")
    ] = 0.3
    kept_factor: Annotated[
        float, Ge(0), Field(description="factor on the loss gradient of the convolution weights that are kept")
    ] = 0.1
    probe: Annotated[
        Literal["eval", "train"], Field(description="mode of the network while the gradients are computed")
    ] = "eval"

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Compute the gradients, re-draw weights and keep the factors."""
        engine, random = context.engine, generator(seed, "redraw")
        context.model.train(self.probe == "train")
        gradients = self.gradients(context, self.retain_sample(context, seed))
        convolutions = {id(one.weight) for one in context.model.modules() if isinstance(one, nn.Conv2d)}
        factors = []
        for parameter, gradient in zip(context.model.parameters(), gradients, strict=True):
            factor = torch.ones_like(parameter)
            if id(parameter) in convolutions:
                count = round(self.redrawn_share * parameter.numel())
                chosen = gradient.abs().flatten().argsort(stable=True)[:count]
                redrawn = torch.zeros(parameter.numel(), dtype=torch.bool, device=parameter.device)
                redrawn = redrawn.index_fill_(0, chosen, True).view(parameter.shape)
                drawn = self.draw(parameter, random).to(parameter.device)
                factor = torch.where(redrawn, 1.0, self.kept_factor)
                with torch.no_grad():
                    parameter.copy_(torch.where(redrawn, drawn, parameter))
            factors.append(factor)
        engine.keep("factors", factors)

    def gradients(self, context: UnlearningContext, sample_M: Tensor) -> list[Tensor]:
        """Return the gradient of the loss on a sample of D_r minus that on D_f, added up over batches."""
        labels_N = context.task.labels_N
        forget_F = context.task.forget_N.nonzero().flatten()
        retain = Stream.cut(sample_M, labels_N[sample_M], 64)
        forget = Stream.cut(forget_F, labels_N[forget_F], self.batch_size)
        up, down = (sum_gradients(context.engine, stream) for stream in (retain, forget))
        return [one - other for one, other in zip(up, down, strict=True)]

    def retain_sample(self, context: UnlearningContext, seed: int) -> Tensor:
        """Draw as many images of D_r as D_f has."""
        return context.task.retain_sample(int(context.task.forget_N.sum()), generator(seed, "retain sample"))

    def draw(self, weight: Tensor, random: torch.Generator) -> Tensor:
        """Draw a convolution's weights, normal with variance 2 / fan-out (He et al., 2015), on the CPU."""
        fan_out = weight.shape[0] * weight[0, 0].numel()
        drawn: Tensor = torch.randn(weight.shape, generator=random) * (2 / fan_out) ** 0.5
        return drawn

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[StepPass]:
        """Pass over D_r."""
        return [StepPass((self.streams(context.task, epoch.order_N)[1],), _scaled)]

    def rates(self, epoch: Epoch, passes: Sequence[Pass]) -> Iterator[float]:
        """Raise the scheduled rates over the first half of the epochs, and lower them after it."""
        rising = (self.epochs + 1) // 2
        left = (self.epochs + 1 - epoch.number) / (self.epochs + 1 - rising)
        factor = min(epoch.number / rising, left)
        return (rate * factor for rate in super().rates(epoch, passes))
