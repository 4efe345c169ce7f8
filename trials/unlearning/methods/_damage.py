"""Damage, then fine-tune: what the winners of the NeurIPS 2023 competition share, as one method with a choice.

Sources: Triantafillou et al., "Are we making progress in unlearning?" (arXiv 2406.09073); the ports of Cadet et al.,
"Deep Unlearn" (arXiv 2410.01276; xcadet/deepunlearn); noise, shrinking and dropping of weights are those of
shoaibahmed/vision_relearning.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, get_args

import torch
from annotated_types import Interval
from pydantic import Field
from torch import Tensor, nn

from unlearning.engine import LAYERS, DataPass, Engine, layers
from unlearning.methods._base import UnlearningContext
from unlearning.methods._ct import transpose_kernels
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.methods._weights import fresh_weights
from unlearning.ranges import Ranges, choices, logarithmic
from unlearning.seeds import derive, generator

Kind = Literal["noise", "shrink", "drop", "redraw", "prune", "transpose", "last"]


class DamageTune(DescentMethod):
    """Damage the weights of convolutions and linear layers once; then cross-entropy on D_r."""

    name: Literal["damage_tune"] = "damage_tune"
    title: ClassVar[str] = "damage and fine-tune"
    works_on: ClassVar[tuple[type[nn.Module], ...]] = LAYERS
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "damage": choices(*get_args(Kind)),
        "strength": logarithmic(0.02, 0.6),
        "schedule": SCHEDULES,
    }
    damage: Annotated[
        Kind,
        Field(
            description="noise: add normal noise, scaled by each layer's spread; shrink: towards zero; drop: set a "
            "share to zero; redraw: draw a share anew; prune: draw the smallest anew; transpose: kernels of a share of "
            "the layers; last: draw the last share of the layers anew"
        ),
    ] = "redraw"
    strength: Annotated[
        float, Interval(gt=0, le=1), Field(description="scale of the noise, or share that is damaged")
    ] = 0.3

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Damage the weights."""
        fresh = fresh_weights(context.model, derive(seed, "fresh"))
        names = {id(weight): name for name, weight in context.model.named_parameters()}
        weights = [layer.weight for layer in layers(context.engine) if id(layer.weight) in names]
        parts = [(weight, fresh[names[id(weight)]].to(weight.device)) for weight in weights]
        with torch.no_grad():
            self._apply(context.engine, parts, generator(seed, "damage"))

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[DataPass]:
        """Pass over D_r."""
        return [context.task.retain_pass(epoch.order_N)]

    def _apply(self, engine: Engine, parts: list[tuple[Tensor, Tensor]], random: torch.Generator) -> None:
        count = max(1, round(self.strength * len(parts)))
        if self.damage == "transpose":
            transpose_kernels(nn.ModuleList(layers(engine)[:count]))
            return
        if self.damage == "last":
            for weight, drawn in parts[-count:]:
                weight.copy_(drawn)
            return
        sizes_P = torch.cat([weight.abs().flatten() for weight, _ in parts])
        smallest = sizes_P.kthvalue(max(1, round(self.strength * len(sizes_P)))).values
        for weight, drawn in parts:
            weight.copy_(self._damaged(weight, drawn, smallest, random))

    def _damaged(self, weight: Tensor, drawn: Tensor, smallest: Tensor, random: torch.Generator) -> Tensor:
        if self.damage == "shrink":
            return weight * (1 - self.strength)
        if self.damage == "prune":
            return torch.where(weight.abs() <= smallest, drawn, weight)
        if self.damage == "noise":
            noise = torch.randn(weight.shape, generator=random).to(weight.device)
            return weight + self.strength * weight.std() * noise
        hit = (torch.rand(weight.shape, generator=random) < self.strength).to(weight.device)
        return torch.where(hit, drawn if self.damage == "redraw" else torch.zeros_like(weight), weight)
