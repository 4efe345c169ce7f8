"""The one training loop: originals, oracles, fine-tuning and every unlearning method run through ``train_epoch``.

Images lie on the device as uint8; a step gathers, augments and scales its batch there, and nothing in the loop waits
for the host. What differs between a training and a method is only which images are swept in what order, with which
labels and loss (``Sweep``), and which weights may move (the mask of ``SGD``).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.data.augment import Arm, Augment
from unlearning.models import Normalise
from unlearning.options import Options
from unlearning.schedules import AnySchedule, Cosine
from unlearning.seeds import generator

Precision = Literal["float32", "bfloat16"]

CPU_BATCH = 128
"""Images evaluated at a time on a CPU, where the activations of more do not fit its cache (LOG.md)."""

GPU_BATCH = 1024
"""The same on a GPU, which small batches leave idle."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""``(logits_BK, labels_B) -> scalar``."""

RECIPE_VERSION = 1
"""Raised when the meaning of the loop changes, so that artefacts of another meaning are not taken for ours."""


class Recipe(Options):
    """How an original and its oracles are trained: SGD with momentum and a schedule."""

    epochs: Annotated[int, Ge(1)] = 50
    batch_size: Annotated[int, Ge(1)] = 256
    lr: Annotated[float, Gt(0)] = 0.1
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    schedule: AnySchedule = Cosine()
    precision: Precision = "float32"


@dataclass(frozen=True)
class Sweep:
    """One pass over training images: which, in what order, with which labels, under which loss.

    Attributes:
        indices_M: int64, indices into the training split, in the order in which batches are cut.
        labels_M: int64, the labels to train on, which need not be the true ones.
        loss: the batch's loss; mean cross-entropy unless a method says otherwise.
    """

    indices_M: Tensor
    labels_M: Tensor
    loss: Loss = cross_entropy

    def steps(self, batch_size: int) -> int:
        """Count the batches."""
        return -(-len(self.indices_M) // batch_size)


class SGD:
    """Stochastic gradient descent with momentum and weight decay, on the weights that a mask leaves trainable.

    Arithmetic of ``torch.optim.SGD``; the mask is laid on the velocity, after weight decay has entered it, so a frozen
    weight stays bit-identical and its momentum zero (SalUn, Fan et al., ICLR 2024, equation 5:
    theta_u = m * theta + (1 - m) * theta_o).

    Args:
        masks: one float tensor a parameter, 1 = trainable and 0 = frozen; None: all are trainable.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        momentum: float,
        weight_decay: float,
        masks: Sequence[Tensor] | None = None,
    ) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.masks = None if masks is None else list(masks)
        self.momentum = momentum
        self.weight_decay = weight_decay

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move the weights against the gradients in ``.grad`` and drop the gradients."""
        gradients = [_gradient(parameter) for parameter in self.parameters]
        torch._foreach_add_(gradients, self.parameters, alpha=self.weight_decay)
        torch._foreach_mul_(self.velocities, self.momentum)
        torch._foreach_add_(self.velocities, gradients)
        if self.masks is not None:
            torch._foreach_mul_(self.velocities, self.masks)
        torch._foreach_add_(self.parameters, self.velocities, alpha=-lr)
        for parameter in self.parameters:
            parameter.grad = None


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Compute in bfloat16 where that is safe, or do nothing for float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def unit_interval(images_BCHW: Tensor) -> Tensor:
    """Turn uint8 images into channels-last float32 in [0, 1]."""
    return images_BCHW.to(torch.float32, memory_format=torch.channels_last) / 255


def train_epoch(
    model: nn.Module,
    optimizer: SGD,
    images_NCHW: Tensor,
    sweeps: Sequence[Sweep],
    *,
    batch_size: int,
    learning_rates: Iterator[float],
    augment: Augment,
    precision: Precision,
) -> float:
    """Run the sweeps one after another, batch by batch, with the model in the mode that it is in.

    Args:
        images_NCHW: the whole training split, uint8, on the model's device.
        learning_rates: one a step.

    Returns:
        The mean loss over the samples of the epoch; not finite when training diverged.
    """
    device = images_NCHW.device
    loss_sum = torch.zeros((), device=device)
    for sweep in sweeps:
        indices_M = sweep.indices_M.to(device, non_blocking=True)
        labels_M = sweep.labels_M.to(device, non_blocking=True)
        for indices_B, labels_B in zip(indices_M.split(batch_size), labels_M.split(batch_size), strict=True):
            images_BCHW = unit_interval(augment(images_NCHW[indices_B], indices_B))
            with autocast(precision, device):
                logits_BK = model(images_BCHW)
            loss = sweep.loss(logits_BK.float(), labels_B)
            loss.backward()
            optimizer.step(next(learning_rates))
            loss_sum += loss.detach() * len(indices_B)
    return float(loss_sum) / sum(len(sweep.indices_M) for sweep in sweeps)


@torch.inference_mode()
def predict(model: nn.Module, images_NCHW: Tensor, precision: Precision, batch_size: int | None = None) -> Tensor:
    """Compute the float32 logits (N, K) of uint8 images in eval mode; they come back on the CPU in one transfer.

    Args:
        batch_size: None: what suits the device.
    """
    model.eval()
    batch_size = batch_size or (CPU_BATCH if images_NCHW.device.type == "cpu" else GPU_BATCH)
    with autocast(precision, images_NCHW.device):
        logits = [model(unit_interval(images_BCHW)).float() for images_BCHW in images_NCHW.split(batch_size)]
    return torch.cat(logits).cpu()


def epoch_order(seed: int, epoch: int, count: int) -> Tensor:
    """Draw the order of all ``count`` training images in an epoch.

    A training on part of the images visits its own in this same order, which pairs an oracle with its original.
    """
    return torch.randperm(count, generator=generator(seed, "order", epoch))


class Training:
    """Trains a model on part of a training split; can be stopped after any epoch and continued to the same numbers.

    Args:
        model: on the device, as `Network.build` made it; its ``Normalise`` is fitted here, on the images trained on.
        images_NCHW: the whole training split, uint8, on the model's device.
        labels_N: its labels, on the CPU.
        indices_M: which images to train on.
        seed: of the data order and the augmentation.
    """

    def __init__(
        self,
        model: nn.Sequential,
        images_NCHW: Tensor,
        labels_N: Tensor,
        indices_M: Tensor,
        *,
        recipe: Recipe,
        arm: Arm,
        seed: int,
    ) -> None:
        self.model = model
        self.images_NCHW = images_NCHW
        self.labels_N = labels_N
        self.used_N = torch.zeros(len(labels_N), dtype=torch.bool).index_fill_(0, indices_M, True)
        self.recipe = recipe
        self.arm = arm
        self.seed = seed
        self.epoch = 0
        self.loss = float("nan")
        self.seconds = 0.0
        self.optimizer = SGD(list(model.parameters()), momentum=recipe.momentum, weight_decay=recipe.weight_decay)
        if isinstance(model[0], Normalise):
            model[0].fit(images_NCHW[indices_M.to(images_NCHW.device)])

    def advance(self) -> None:
        """Train one more epoch; ``loss`` is its mean loss, ``seconds`` what all epochs took."""
        started = time.perf_counter()
        self.epoch += 1
        order_N = epoch_order(self.seed, self.epoch, len(self.labels_N))
        indices_M = order_N[self.used_N[order_N]]
        sweep = Sweep(indices_M, self.labels_N[indices_M])
        random = generator(self.seed, "augment", self.epoch)
        self.model.train()
        self.loss = train_epoch(
            self.model,
            self.optimizer,
            self.images_NCHW,
            [sweep],
            batch_size=self.recipe.batch_size,
            learning_rates=self._learning_rates(sweep.steps(self.recipe.batch_size)),
            augment=self.arm.draw(len(self.labels_N), random, self.images_NCHW.device),
            precision=self.recipe.precision,
        )
        self.seconds += time.perf_counter() - started

    def _learning_rates(self, steps: int) -> Iterator[float]:
        done = (self.epoch - 1) * steps
        for step in range(done, done + steps):
            yield self.recipe.lr * self.recipe.schedule.factor(step / (self.recipe.epochs * steps))

    def checkpoint(self) -> dict[str, Tensor]:
        """Give all that continuing needs, as tensors on the CPU by name."""
        state = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        state |= {f"velocity/{number}": value for number, value in enumerate(self.optimizer.velocities)}
        state |= {"epoch": torch.tensor(self.epoch), "loss": torch.tensor(self.loss, dtype=torch.float64)}
        state |= {"seconds": torch.tensor(self.seconds, dtype=torch.float64)}
        return {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from a checkpoint of the same training."""
        self.model.load_state_dict(
            {name.removeprefix("model/"): value for name, value in state.items() if name.startswith("model/")}
        )
        for number, velocity in enumerate(self.optimizer.velocities):
            velocity.copy_(state[f"velocity/{number}"])
        self.epoch = int(state["epoch"])
        self.loss = float(state["loss"])
        self.seconds = float(state["seconds"])
