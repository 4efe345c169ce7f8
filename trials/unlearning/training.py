"""Training originals and oracles: a recipe, and a run of it that can be stopped after any epoch."""

import math
import time
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from annotated_types import Ge, Gt, Interval, MinLen
from pydantic import Discriminator, Field, Tag, model_validator
from torch import Tensor, nn

from unlearning.data.augment import Augmentation
from unlearning.engine import DataPass, Engine, Loss, OptimizerKind, Precision, part_of
from unlearning.errors import InputError
from unlearning.images import Images
from unlearning.models import Normalise
from unlearning.options import LaterOptions
from unlearning.schedules import AnySchedule, Cosine, OneCycle
from unlearning.seeds import generator
from unlearning.tasks import mean_loss, task_of
from unlearning.training_loss import TrainingLoss, balanced

RECIPE_VERSION = 1
"""Raised when the meaning of the loop changes, so that older artifacts are not reused."""


OPTIONS_OF: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum", "nesterov"),
    "adam": ("betas", "eps"),
    "adamw": ("betas", "eps"),
}
"""The options that an optimiser reads and another one may not."""


ClassWeights = Annotated[
    Annotated[Literal["none", "balanced"], Tag("rule")]
    | Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(2), Field(strict=False), Tag("list")],
    Discriminator(lambda value: "rule" if isinstance(value, str) else "list"),
]


class Recipe(LaterOptions):
    """How an original and its oracles are trained.

    Unlearning methods do not take these options, they have their own and the losses of their authors. Audits that train
    take `batch_size`, `momentum` and `weight_decay` alone, for SGD on plain cross-entropy.
    """

    later: ClassVar[tuple[str, ...]] = (
        "optimizer",
        "nesterov",
        "betas",
        "eps",
        "clip_norm",
        "warmup",
        "label_smoothing",
        "class_weights",
    )

    epochs: Annotated[int, Ge(1), Field(description="epochs of training")] = 50
    batch_size: Annotated[int, Ge(1), Field(description="images a step")] = 256
    lr: Annotated[float, Gt(0), Field(description="peak learning rate, which the schedule multiplies")] = 0.1
    momentum: Annotated[float, Interval(ge=0, lt=1), Field(description="momentum of SGD")] = 0.9
    weight_decay: Annotated[
        float, Ge(0), Field(description="weight decay, which enters the gradient; with `adamw` the weights themselves")
    ] = 5e-4
    schedule: Annotated[AnySchedule, Field(description="how the learning rate changes during training")] = Cosine()
    precision: Annotated[Precision, Field(description="floating-point format of the network's computations")] = (
        "float32"
    )
    optimizer: Annotated[
        Literal["sgd", "adam", "adamw"],
        Field(description="what moves the weights; `adam` and `adamw` need an `lr` of their own, such as 1e-3"),
    ] = "sgd"
    nesterov: Annotated[bool, Field(description="Nesterov's momentum, of SGD")] = False
    betas: Annotated[
        tuple[Annotated[float, Interval(ge=0, lt=1)], Annotated[float, Interval(ge=0, lt=1)]],
        Field(strict=False, description="decay of Adam's running means of gradients and of their squares"),
    ] = (0.9, 0.999)
    eps: Annotated[float, Gt(0), Field(description="added to the root of Adam's mean of squares")] = 1e-8
    clip_norm: Annotated[
        float | None, Gt(0), Field(description="norm that the gradient of a step is scaled down to; by default none")
    ] = None
    warmup: Annotated[
        float,
        Interval(ge=0, lt=1),
        Field(description="share of the steps in which the rate rises from zero in a line; the schedule follows"),
    ] = 0.0
    label_smoothing: Annotated[
        float, Interval(ge=0, lt=1), Field(description="share of a label that is spread over all classes")
    ] = 0.0
    class_weights: Annotated[
        ClassWeights,
        Field(
            description="weight of each class in the loss: `balanced` is by the number of its images in all of train, "
            "whichever are trained on, so that an original and its oracles have one loss; or a list, a weight a class"
        ),
    ] = "none"

    @model_validator(mode="after")
    def _options_are_the_optimisers(self) -> Self:
        own, fields = OPTIONS_OF[self.optimizer], type(self).model_fields
        others = {name for names in OPTIONS_OF.values() for name in names if name not in own}
        problems = [
            f"{name}: is no option of {self.optimizer}; it has {', '.join(own)}"
            for name in sorted(others)
            if getattr(self, name) != fields[name].default
        ]
        if self.optimizer != "sgd" and "lr" not in self.model_fields_set:
            problems.append(
                f"lr: is needed with {self.optimizer}, such as 1e-3; the default, {self.lr:g}, is a rate of SGD"
            )
        if self.nesterov and not self.momentum:
            problems.append("nesterov: wanted a momentum above 0, got 0")
        if self.warmup and isinstance(self.schedule, OneCycle):
            problems.append("warmup: the schedule one-cycle has its own (schedule.warmup); wanted one of the two")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def title(self) -> str:
        """The recipe in words, without what is at its default and came later."""
        further: list[str] = [self.optimizer] if self.optimizer != "sgd" else []
        further += [f"{name} {_shown(getattr(self, name))}" for name in self.model_dump() if name in self.later[1:]]
        return ", ".join(
            [f"{self.epochs} epochs, batch {self.batch_size}, lr {self.lr:g}, {self.schedule.kind}", *further]
        )

    @property
    def kind(self) -> OptimizerKind:
        """The optimiser, as the engine knows it."""
        if self.optimizer == "sgd":
            return OptimizerKind(nesterov=self.nesterov)
        return OptimizerKind("adam", second_decay=self.betas[1], epsilon=self.eps, decoupled=self.optimizer == "adamw")

    @property
    def needing_one_class(self) -> tuple[str, ...]:
        """The options of the loss that are set and have a meaning only where an image has one class."""
        fields = type(self).model_fields
        return tuple(
            name for name in ("label_smoothing", "class_weights") if getattr(self, name) != fields[name].default
        )

    def factor(self, progress: float) -> float:
        """Return the factor on the learning rate at ``progress``, the share of steps done, in [0, 1)."""
        if progress < self.warmup:
            return progress / self.warmup
        return self.schedule.factor((progress - self.warmup) / (1 - self.warmup))

    def loss(self, labels_N: Tensor, device: torch.device) -> Loss:
        """Return the loss of a training.

        Args:
            labels_N: of all train images.
            device: where the network computes.

        Raises:
            InputError: (a ``ValueError``) an image has any number of labels, and an option of the loss needs one class.
        """
        if self.needing_one_class and task_of(labels_N).several:
            raise InputError(f"{', '.join(self.needing_one_class)}: wanted one class an image, got several labels")
        if not self.needing_one_class:
            return mean_loss
        weights_K = None
        if self.class_weights == "balanced":
            weights_K = balanced(labels_N).to(device)
        elif self.class_weights != "none":
            weights_K = torch.tensor(self.class_weights, device=device)
        return TrainingLoss(weights_K, self.label_smoothing)


def _shown(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else f"[{', '.join(f'{one:g}' for one in value)}]"


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
        momentum = recipe.momentum if recipe.optimizer == "sgd" else recipe.betas[0]
        self.engine.begin(momentum=momentum, weight_decay=recipe.weight_decay, optimizer=recipe.kind)
        self._loss = recipe.loss(labels_N, self.engine.device)
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
        data_pass = DataPass(indices_M, self.labels_N[indices_M], self._loss, self.recipe.clip_norm)
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
            yield self.recipe.lr * self.recipe.factor(step / (self.recipe.epochs * steps))

    def checkpoint(self) -> dict[str, Tensor]:
        """Return all that continuing needs, as tensors on the CPU by name."""
        state = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        state |= self._moving
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
        for name, value in self._moving.items():
            value.copy_(state[name])
        self.epoch = int(state["epoch"])
        self.loss = float(state["loss"])
        self.seconds = float(state["seconds"])

    @property
    def _moving(self) -> dict[str, Tensor]:
        """The state of the optimiser, as checkpoints name it."""
        optimizer = self.engine.begun
        return {f"{optimizer.state_name}/{number}": value for number, value in enumerate(optimizer.state)}

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
