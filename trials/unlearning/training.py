"""Training originals and oracles: a recipe, and a run of it that can be stopped after any epoch."""

import math
import time
from collections.abc import Iterator
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Interval
from pydantic import Field
from torch import Tensor, nn

from unlearning.data.augment import Augmentation
from unlearning.engine import DataPass, Engine, Precision, part_of
from unlearning.images import Images
from unlearning.models import Normalise
from unlearning.options import Options
from unlearning.schedules import AnySchedule, Cosine
from unlearning.seeds import generator

RECIPE_VERSION = 1
"""Raised when the meaning of the loop changes, so that older artifacts are not reused."""


class Recipe(Options):
    """How an original and its oracles are trained: SGD with momentum and a schedule."""

    epochs: Annotated[int, Ge(1), Field(description="epochs of training")] = 50
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 256
    lr: Annotated[float, Gt(0), Field(description="peak learning rate, which the schedule multiplies")] = 0.1
    momentum: Annotated[float, Interval(ge=0, lt=1), Field(description="momentum of SGD")] = 0.9
    weight_decay: Annotated[float, Ge(0), Field(description="weight decay of SGD")] = 5e-4
    schedule: Annotated[AnySchedule, Field(description="how the learning rate changes during training")] = Cosine()
    precision: Annotated[Precision, Field(description="floating-point format of the network's computations")] = (
        "float32"
    )


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """Draw the order of all ``count`` training images in an epoch.

    A training on part of the images visits its own in this same order, which pairs an oracle with its original.
    """
    return torch.randperm(count, generator=generator(seed, "order", epoch))


class Training:
    """Trains a model on part of a training split; can be stopped after any epoch and continued to the same numbers.

    Args:
        model: on the device, as `Network.build` made it; its ``Normalise`` is fitted here, on the images trained on.
        images_NCHW: the whole training split, uint8, on the model's device, or streamed to it.
        labels_N: its labels, on the CPU.
        indices_M: which images to train on.
        seed: of the data order and the augmentation.
    """

    def __init__(
        self,
        model: nn.Sequential,
        images_NCHW: Images,
        labels_N: Tensor,
        indices_M: Tensor,
        *,
        recipe: Recipe,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        self.engine = Engine(model, images_NCHW, augmentation=augmentation, precision=recipe.precision)
        self.engine.begin(momentum=recipe.momentum, weight_decay=recipe.weight_decay)
        self.labels_N = labels_N
        self.used_N = torch.zeros(len(labels_N), dtype=torch.bool).index_fill_(0, indices_M, True)
        self.recipe = recipe
        self.seed = seed
        self.epoch = 0
        self.loss = float("nan")
        self.seconds = 0.0
        if isinstance(model[0], Normalise):
            model[0].fit(part_of(images_NCHW, indices_M))

    @property
    def model(self) -> nn.Module:
        """The network as it is now."""
        return self.engine.model

    def advance(self) -> None:
        """Train one more epoch; ``loss`` is its mean loss, ``seconds`` what all epochs took."""
        started = time.perf_counter()
        self.epoch += 1
        order_N = epoch_order(self.seed, self.epoch, len(self.labels_N))
        indices_M = order_N[self.used_N[order_N]]
        data_pass = DataPass(indices_M, self.labels_N[indices_M])
        self.model.train()
        self.loss = self.engine.train_epoch(
            [data_pass],
            batch_size=self.recipe.batch_size,
            learning_rates=self._learning_rates(data_pass.steps(self.recipe.batch_size)),
            random=generator(self.seed, "augment", self.epoch),
        )
        self.seconds += time.perf_counter() - started

    def _learning_rates(self, steps: int) -> Iterator[float]:
        done = (self.epoch - 1) * steps
        for step in range(done, done + steps):
            yield self.recipe.lr * self.recipe.schedule.factor(step / (self.recipe.epochs * steps))

    def checkpoint(self) -> dict[str, Tensor]:
        """Return all that continuing needs, as tensors on the CPU by name."""
        state = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        state |= {f"velocity/{number}": value for number, value in enumerate(self.engine.optimizer.velocities)}
        state |= {"epoch": torch.tensor(self.epoch), "loss": torch.tensor(self.loss, dtype=torch.float64)}
        state |= {"seconds": torch.tensor(self.seconds, dtype=torch.float64)}
        return {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from a checkpoint of the same training.

        Raises:
            ValueError: the state is that of another training or none; nothing was changed.
        """
        self._check(state)
        self.model.load_state_dict(
            {name.removeprefix("model/"): value for name, value in state.items() if name.startswith("model/")}
        )
        for number, velocity in enumerate(self.engine.optimizer.velocities):
            velocity.copy_(state[f"velocity/{number}"])
        self.epoch = int(state["epoch"])
        self.loss = float(state["loss"])
        self.seconds = float(state["seconds"])

    def _check(self, state: dict[str, Tensor]) -> None:
        wanted = {name: (value.shape, value.dtype) for name, value in self.checkpoint().items()}
        found = {name: (value.shape, value.dtype) for name, value in state.items()}
        if found != wanted:
            unfit = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
            raise ValueError(f"wanted a checkpoint of this training, got other tensors for {', '.join(unfit[:3])}")
        epoch, loss, seconds = int(state["epoch"]), float(state["loss"]), float(state["seconds"])
        measured = math.isfinite(loss) or epoch == 0
        if not (0 <= epoch <= self.recipe.epochs and measured and 0 <= seconds < math.inf):
            raise ValueError(f"wanted a checkpoint of this training, got epoch {epoch}, loss {loss}, {seconds} seconds")
