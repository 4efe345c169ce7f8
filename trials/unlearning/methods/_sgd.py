"""Methods that are SGD at a constant rate over chosen passes of the training images: most of the literature."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import repeat
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Interval
from pydantic import Field
from torch import Tensor, nn

from unlearning.engine import DataPass
from unlearning.methods._base import ForgetTask, Method, UnlearningContext
from unlearning.seeds import generator
from unlearning.training import epoch_order


class SGDMethod(Method):
    """A method that defines the data passes of an epoch and the weights it may move; the defaults are SalUn's."""

    epochs: Annotated[int, Ge(1), Field(description="epochs of unlearning")] = 10
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 256
    lr: Annotated[float, Gt(0), Field(description="learning rate, constant")] = 0.013
    momentum: Annotated[float, Interval(ge=0, lt=1), Field(description="momentum of SGD")] = 0.9
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of SGD")] = 5e-4
    batch_norm: Annotated[
        Literal["update", "freeze"], Field(description="running statistics of batch norm while unlearning")
    ] = "update"

    @abstractmethod
    def data_passes(self, task: ForgetTask, order_N: Tensor, random: torch.Generator) -> list[DataPass]:
        """Return the data passes of one epoch.

        Args:
            order_N: this epoch's order of all training images, shared by every method of the same seed.
            random: this epoch's generator for whatever else the method draws.
        """

    def masks(self, context: UnlearningContext, seed: int) -> list[Tensor] | None:
        """Return one bool tensor a parameter, True where it may move; None: all may."""
        return None

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Run the data passes of each epoch through the training loop."""
        engine, task = context.engine, context.task
        masks = self.masks(context, seed)
        engine.begin(momentum=self.momentum, weight_decay=self.weight_decay, masks=masks)
        for epoch in range(1, self.epochs + 1):
            self._set_mode(engine.model)
            order_N = epoch_order(seed, epoch, len(task.labels_N))
            yield engine.train_epoch(
                self.data_passes(task, order_N, generator(seed, "labels", epoch)),
                batch_size=self.batch_size,
                learning_rates=repeat(self.lr),
                random=generator(seed, "augment", epoch),
            )

    def _set_mode(self, model: nn.Module) -> None:
        model.train()
        if self.batch_norm == "freeze":
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
