"""Methods that are gradient descent over chosen passes of the training images: most of the literature."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Interval
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unlearning.engine import DataPass, OptimizerName, PlannedEpoch, StepPass, Stream
from unlearning.methods._base import ForgetTask, Method, UnlearningContext
from unlearning.ranges import choices
from unlearning.seeds import generator
from unlearning.training import epoch_order

Pass = DataPass | StepPass

SCHEDULES = choices("constant", "cosine")
"""The schedules that searches try."""


@dataclass(frozen=True)
class Epoch:
    """An epoch of unlearning, as a method plans it.

    Attributes:
        number: from 1.
        order_N: its order of all training images, shared by every method of the same seed.
        random: its generator for whatever the method draws.
        prepared: what `DescentMethod.prepare` returned.
    """

    number: int
    order_N: Tensor
    random: torch.Generator
    prepared: Any = None


class DescentMethod(Method):
    """A method that defines the passes of an epoch and the weights it may move; the defaults are SalUn's."""

    epochs: Annotated[int, Ge(1), Field(description="epochs of unlearning")] = 10
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 256
    lr: Annotated[float, Gt(0), Field(description="learning rate, which the schedule multiplies")] = 0.013
    momentum: Annotated[float, Interval(ge=0, lt=1), Field(description="momentum of SGD")] = 0.9
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of SGD")] = 5e-4
    batch_norm: Annotated[
        Literal["update", "freeze"], Field(description="running statistics of batch norm while unlearning")
    ] = "update"
    schedule: Annotated[
        Literal["constant", "cosine", "linear"], Field(description="how the learning rate falls: not, or to zero")
    ] = "constant"
    warmup: Annotated[
        float, Interval(ge=0, lt=1), Field(description="share of the run in which the learning rate rises to its peak")
    ] = 0.0

    @property
    def descent(self) -> OptimizerName:
        """The optimiser."""
        return "sgd"

    @abstractmethod
    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[Pass]:
        """Return the passes of an epoch."""

    def masks(self, context: UnlearningContext, seed: int) -> list[Tensor] | None:
        """Return one bool tensor a parameter, True where it may move; None: all may."""
        return None

    def prepare(self, context: UnlearningContext, seed: int) -> object:
        """Do what comes before the first epoch, such as editing the weights, and return what all epochs use."""
        return None

    def rates(self, epoch: Epoch, passes: Sequence[Pass]) -> Iterator[float]:
        """Yield the learning rate of each step of an epoch."""
        steps = sum(one.steps(self.batch_size) for one in passes)
        for step in range(steps):
            yield self.lr * self._factor((epoch.number - 1 + step / steps) / self.epochs)

    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Run the passes of each epoch through the training loop."""
        prepared = self.begin(context, seed)
        for number in range(1, self.epochs + 1):
            loss = context.engine.train(self.plan(context, seed, number, prepared))
            self.end_epoch(context, seed, number, prepared)
            yield loss

    def begin(self, context: UnlearningContext, seed: int) -> object:
        """Begin a run: prepare it, put the optimiser at rest, and return what all epochs use."""
        prepared = self.prepare(context, seed)
        self._begin(context, seed)
        return prepared

    def plan(self, context: UnlearningContext, seed: int, number: int, prepared: object) -> PlannedEpoch:
        """Plan an epoch, by its number from 1, in the mode that its steps are taken in."""
        self.set_mode(context.engine.model)
        order_N = epoch_order(seed, number, len(context.task.labels_N))
        epoch = Epoch(number, order_N, generator(seed, "labels", number), prepared)
        passes = self.passes(context, epoch)
        return PlannedEpoch(passes, self.batch_size, self.rates(epoch, passes), generator(seed, "augment", number))

    def end_epoch(self, context: UnlearningContext, seed: int, number: int, prepared: Any) -> None:
        """Do what follows the steps of an epoch; nothing by default."""

    def set_mode(self, model: nn.Module) -> None:
        """Put the network into train mode, but for the batch norm layers that are frozen."""
        model.train()
        if self.batch_norm == "freeze":
            for module in model.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def streams(self, task: ForgetTask, order_N: Tensor) -> tuple[Stream, Stream]:
        """Cut D_f and D_r into batches, with their true labels, in this order."""
        forget, retain = task.forget_pass(order_N), task.retain_pass(order_N)
        return (
            Stream.cut(forget.indices_M, forget.labels_M, self.batch_size),
            Stream.cut(retain.indices_M, retain.labels_M, self.batch_size),
        )

    def _begin(self, context: UnlearningContext, seed: int) -> None:
        context.engine.begin(
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            masks=self.masks(context, seed),
            optimizer=self.descent,
        )

    def _factor(self, progress: float) -> float:
        if progress < self.warmup:
            return progress / self.warmup
        return _FACTORS[self.schedule]((progress - self.warmup) / (1 - self.warmup))


class SGDMethod(DescentMethod):
    """A method that defines the data passes of an epoch by what is to be forgotten alone."""

    later: ClassVar[tuple[str, ...]] = ("schedule", "warmup")

    @abstractmethod
    def data_passes(self, task: ForgetTask, order_N: Tensor, random: torch.Generator) -> Sequence[Pass]:
        """Return the passes of one epoch.

        Args:
            order_N: this epoch's order of all training images, shared by every method of the same seed.
            random: this epoch's generator for whatever else the method draws.
        """

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Sequence[Pass]:
        """Return the data passes."""
        return self.data_passes(context.task, epoch.order_N, epoch.random)


_FACTORS: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
}
"""The factor on the rate at a share of the run, in [0, 1)."""
