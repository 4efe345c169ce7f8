"""CF-k and EU-k: fine-tune the last k layers on the retain set, as they are or re-drawn; the others are frozen.

Source: Goel et al., "Towards Adversarial Evaluation of Inexact Machine Unlearning" (arXiv 2201.06640), and the public
code (shash42/Evaluating-Inexact-Unlearning).
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor, nn

from unlearning.engine import LAYERS, NORMS, DataPass, Engine, in_order, layers
from unlearning.methods._base import UnlearningContext
from unlearning.methods._sgd import SCHEDULES, DescentMethod, Epoch
from unlearning.methods._weights import fresh_weights
from unlearning.ranges import Ranges, logarithmic, plain
from unlearning.seeds import derive


class CFk(DescentMethod):
    """Cross-entropy on D_r, which moves the last k convolutions and linear layers and the norms among them."""

    name: Literal["cf_k"] = "cf_k"
    title: ClassVar[str] = "CF-k"
    works_on: ClassVar[tuple[type[nn.Module], ...]] = LAYERS
    multi_label: ClassVar[bool] = True
    ranges: ClassVar[Ranges] = {
        "lr": logarithmic(1e-3, 0.5),
        "layers": plain(1, 6),
        "schedule": SCHEDULES,
    }
    layers: Annotated[int, Ge(1), Field(description="k: convolutions and linear layers that are trained")] = 2

    def masks(self, context: UnlearningContext, seed: int) -> list[Tensor]:
        """Freeze what comes before the first of the last k layers."""
        trained = {id(parameter) for module in self._last(context.engine) for parameter in module.parameters()}
        return [
            torch.full(parameter.shape, id(parameter) in trained, device=parameter.device)
            for parameter in context.model.parameters()
        ]

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[DataPass]:
        """Pass over D_r."""
        return [context.task.retain_pass(epoch.order_N)]

    def _last(self, engine: Engine) -> list[nn.Module]:
        """List the last k layers, and the norms behind the first of them."""
        leaves = in_order(engine, (*LAYERS, *NORMS))
        first = layers(engine)[-self.layers :][0]
        return leaves[leaves.index(first) :]


class EUk(CFk):
    """CF-k, whose k layers are drawn anew beforehand; their batch norms are not."""

    name: Literal["eu_k"] = "eu_k"  # type: ignore[assignment]
    title: ClassVar[str] = "EU-k"

    def prepare(self, context: UnlearningContext, seed: int) -> None:
        """Draw the last k layers anew."""
        fresh = fresh_weights(context.model, derive(seed, "last layers"))
        names = {id(module): name for name, module in context.model.named_modules()}
        with torch.no_grad():
            for layer in layers(context.engine)[-self.layers :]:
                for name, parameter in layer.named_parameters():
                    parameter.copy_(fresh[f"{names[id(layer)]}.{name}"])
