"""The one loop: originals, oracles, saliency and every unlearning method compute through an ``Engine``.

Images lie on the device as uint8; a step gathers, augments and scales its batch there, and nothing in an epoch waits
for the host. Where they do not fit, a step gets its batch from the host instead (`Streamed`), and all else is the same.
What differs between a training and a method is only which images are passed over in what order, with which labels and
loss (``DataPass``), what a step does with several batches (``StepPass``), and which weights may move (the masks of
``SGD``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from functools import partial
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from unlearning.data.augment import Augmentation
from unlearning.engine._cuda_graphs import Replays, replays_wanted
from unlearning.engine._images import Streamed
from unlearning.engine._kinds import OptimizerKind, OptimizerName
from unlearning.engine._optimizer import Optimizer
from unlearning.engine._sgd import SGD
from unlearning.engine._steps import (
    NUMBERS,
    Batch,
    DataPass,
    Descent,
    PlannedEpoch,
    PlannedStep,
    Step,
    StepEnd,
    StepPass,
    StepRule,
    StreamKind,
)
from unlearning.images import Images
from unlearning.seeds import derive, seeded

Precision = Literal["float32", "bfloat16"]

CPU_BATCH = 128
"""Images evaluated at a time on a CPU; more hold more memory, which is then returned to the system (LOG.md)."""

GPU_BATCH = 1024
"""The same on a GPU, which small batches leave idle."""

PLAIN: Final[StreamKind] = ((), False)
"""Images of the training split, and no teacher."""


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Compute in bfloat16 where that is safe, or do nothing for float32."""
    enabled = precision == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)


def unit_interval(images_BCHW: Tensor) -> Tensor:
    """Turn uint8 images into channels-last float32 in [0, 1]."""
    return images_BCHW.to(torch.float32, memory_format=torch.channels_last) / 255


def logits_by(model: nn.Module, images_BCHW: Tensor, precision: Precision) -> Tensor:
    """Compute the float32 logits of a network in a precision, of images in [0, 255]."""
    with autocast(precision, images_BCHW.device):
        logits: Tensor = model(unit_interval(images_BCHW))
    return logits.float()


class Engine:
    """A network and the images that it is trained on, on one device, for one run after another.

    On a GPU steps and evaluations are recorded once and replayed (`Replays`), unless the environment says no; elsewhere
    the same functions are called.

    Args:
        model: on the device, as `Network.build` made it; it is changed in place.
        images_NCHW: the whole training split, uint8, on the model's device, or streamed to it.
        augmentation: the augmentation of training steps.

    Attributes:
        optimizer: the SGD of most trainings and methods, number 0.
        images_trained: passes of a training image through the network, forward and backward, since the engine was made.
    """

    def __init__(
        self, model: nn.Module, images_NCHW: Images, *, augmentation: Augmentation, precision: Precision
    ) -> None:
        self.model = model
        self.images_NCHW = images_NCHW
        self.augmentation = augmentation
        self.precision = precision
        self.device = images_NCHW.device
        self.optimizer = SGD(list(model.parameters()))
        self.images_trained = 0
        self._optimizers: dict[tuple[OptimizerKind, int], Optimizer] = {(OptimizerKind(), 0): self.optimizer}
        self._begun: dict[int, Optimizer] = {0: self.optimizer}
        self._teachers: dict[str, nn.Module] = {}
        self._kept: dict[str, list[Tensor]] = {}
        self._moves = 0
        self._numbers = torch.zeros(NUMBERS, device=self.device)
        self._drawn_ND = torch.zeros((len(images_NCHW), augmentation.numbers), dtype=torch.int64, device=self.device)
        self._loss_sum = torch.zeros((), device=self.device)
        self._replays = Replays(self.state) if self.device.type == "cuda" and replays_wanted() else None

    def begin(
        self,
        *,
        momentum: float,
        weight_decay: float,
        masks: Sequence[Tensor] | None = None,
        optimizer: OptimizerName | OptimizerKind = "sgd",
        number: int = 0,
    ) -> None:
        """Begin a run from the weights as they are; see `Optimizer.begin`.

        Args:
            optimizer: its name stands for its defaults.
            number: of the optimiser, which a `StepPass` names; a `DataPass` takes number 0.
        """
        kind = optimizer if isinstance(optimizer, OptimizerKind) else OptimizerKind(optimizer)
        name = (kind, number)
        if name not in self._optimizers:
            made = kind.make(list(self.model.parameters()))
            self._optimizers[name] = made
            if self._replays is not None:
                self._replays.add_state(made.state)
        self._begun[number] = self._optimizers[name]
        self._begun[number].begin(momentum=momentum, weight_decay=weight_decay, masks=masks)

    @property
    def state(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        optimizers = (tensor for optimizer in self._optimizers.values() for tensor in optimizer.state)
        return [*self.model.parameters(), *self.model.buffers(), *optimizers, self._loss_sum]

    def weights_moved(self) -> None:
        """Forget what was recorded, since the weights or buffers of the network lie elsewhere in memory now."""
        if self._replays is not None:
            self._replays = Replays(self.state)

    @property
    def begun(self) -> Optimizer:
        """The optimiser of the run, number 0."""
        return self._begun[0]

    @torch.no_grad()
    def keep(self, name: str, tensors: Sequence[Tensor]) -> None:
        """Keep tensors for the rules of steps, in memory that stays where it is as long as their shapes do."""
        mine = self._kept.get(name, [])
        if [(one.shape, one.dtype) for one in mine] == [(one.shape, one.dtype) for one in tensors]:
            for one, new in zip(mine, tensors, strict=True):
                one.copy_(new)
            return
        self._kept[name] = [one.to(self.device, copy=True) for one in tensors]
        self._moves += 1

    def add(self, images_MCHW: Tensor) -> None:
        """Keep further images for streams that say so, as float32 in [0, 255]; they are not augmented."""
        self.keep("added", [images_MCHW])

    @torch.no_grad()
    def teach(self, name: str, weights: Mapping[str, Tensor] | None = None) -> None:
        """Make a frozen copy of the network a teacher, which computes in eval mode.

        Without augmentation its logits of all training images are computed once, else those of each batch's views.

        Args:
            weights: a state dict; None: the network's present one.
        """
        if name not in self._teachers:
            self._teachers[name] = deepcopy(self.model).requires_grad_(False).eval()
            self._moves += 1
        self._teachers[name].load_state_dict(dict(self.model.state_dict() if weights is None else weights))
        if not self.augmentation.numbers:
            batches = self.images_NCHW.split(GPU_BATCH if self.device.type == "cuda" else CPU_BATCH)
            self.keep(f"teacher {name}", [torch.cat([self._by(self._teachers[name], batch) for batch in batches])])

    def train_epoch(
        self,
        data_passes: Sequence[DataPass | StepPass],
        *,
        batch_size: int,
        learning_rates: Iterator[float],
        random: torch.Generator,
    ) -> float:
        """Run the passes one after another, batch by batch, with the model in the mode that it is in.

        Args:
            batch_size: of each `DataPass`.
            learning_rates: one for each step.
            random: of the epoch's augmentation, on the CPU; what the network draws itself, such as for dropout, follows
                from its seed.

        Returns:
            The mean loss over the samples of the epoch, that of a step with several batches counted for each of their
            samples; not finite when training diverged.
        """
        return self.train(PlannedEpoch(data_passes, batch_size, learning_rates, random))

    def train(self, epoch: PlannedEpoch) -> float:
        """Run an epoch that was planned, as `train_epoch` does."""
        with seeded(derive(epoch.random.initial_seed(), "network"), self.device):
            for step in self.steps(epoch):
                self.take(step)
        return self.mean_loss(epoch)

    def steps(self, epoch: PlannedEpoch) -> Iterator[PlannedStep]:
        """Draw the augmentation of an epoch, and yield its steps, each to be taken before the next one is asked for."""
        self._drawn_ND.copy_(self.augmentation.draw(len(self.images_NCHW), epoch.random), non_blocking=True)
        self._loss_sum.zero_()
        for data_pass in epoch.data_passes:
            if isinstance(data_pass, StepPass):
                yield from self._steps_of_streams(data_pass, epoch.learning_rates)
            else:
                yield from self._steps_of_batches(data_pass, epoch.batch_size, epoch.learning_rates)

    def take(self, step: PlannedStep) -> None:
        """Take a step of this network alone."""
        step.optimizer.lr.fill_(step.learning_rate)
        work = partial(self._take, step.rule, step.end, step.kinds, step.optimizer)
        self._do(step.name, work, *(tensor for inputs in step.inputs for tensor in inputs))
        self.images_trained += step.images

    def mean_loss(self, epoch: PlannedEpoch) -> float:
        """Return the mean loss of an epoch whose steps were taken, as `train_epoch` does."""
        return float(self._loss_sum) / epoch.images

    @torch.no_grad()
    def forward(self, images_NCHW: Images) -> None:
        """Pass images through the network in eval mode, batch by batch and never recorded, for a hook to look at."""
        self.model.eval()
        for images_BCHW in images_NCHW.split(CPU_BATCH):
            self._forward(images_BCHW)

    @torch.no_grad()
    def predict(self, images_NCHW: Images, batch_size: int | None = None) -> Tensor:
        """Compute the float32 logits (N, K) of uint8 images in eval mode; they come back on the CPU in one transfer.

        Args:
            images_NCHW: on the engine's device, or streamed to it.
            batch_size: None: what suits the device.
        """
        self.model.eval()
        batch_size = batch_size or (GPU_BATCH if self.device.type == "cuda" else CPU_BATCH)
        logits = [self._logits(images_BCHW, batch_size) for images_BCHW in images_NCHW.split(batch_size)]
        return torch.cat(logits).cpu()

    def _steps_of_batches(
        self, data_pass: DataPass, batch_size: int, learning_rates: Iterator[float]
    ) -> Iterator[PlannedStep]:
        optimizer, rule, kinds = self._begun[0], Descent(data_pass.loss, data_pass.clip_norm), (PLAIN,)
        name = ("batch", rule, optimizer, optimizer.is_masked)
        for inputs in self._inputs(data_pass.indices_M, data_pass.labels_M, batch_size):
            yield PlannedStep(name, rule, None, kinds, optimizer, next(learning_rates), (inputs,))

    def _steps_of_streams(self, step_pass: StepPass, learning_rates: Iterator[float]) -> Iterator[PlannedStep]:
        rule, end, optimizer = step_pass.rule, step_pass.end, self._begun[step_pass.optimizer]
        self._numbers.zero_()
        self._numbers[: len(step_pass.numbers)] = torch.tensor(step_pass.numbers, dtype=torch.float32)
        kinds = tuple((stream.teachers, stream.added) for stream in step_pass.streams)
        name = ("streams", rule, end, kinds, optimizer, optimizer.is_masked, self._moves)
        streams = (self._inputs(stream.indices_M, stream.labels_M, stream.sizes) for stream in step_pass.streams)
        for inputs in zip(*streams, strict=True):
            yield PlannedStep(name, rule, end, kinds, optimizer, next(learning_rates), inputs)

    def _inputs(
        self, indices_M: Tensor, labels_M: Tensor, sizes: int | tuple[int, ...]
    ) -> Iterator[tuple[Tensor, ...]]:
        """Yield each batch's indices and labels, and its images where they are streamed; added ones are any image."""
        parts = [one.to(self.device, non_blocking=True).split(sizes) for one in (indices_M, labels_M)]
        if isinstance(self.images_NCHW, Streamed):
            own_M = indices_M.cpu().clamp(max=len(self.images_NCHW) - 1)
            return zip(*parts, self.images_NCHW.batches(own_M.split(sizes)), strict=True)
        return zip(*parts, strict=True)

    def _do(self, name: tuple[object, ...], work: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        if self._replays is None:
            return work(*inputs)
        modes = tuple(module.training for module in self.model.modules())
        return self._replays.run((*name, modes), work, inputs)

    def _take(
        self,
        rule: StepRule,
        end: StepEnd | None,
        kinds: Sequence[StreamKind],
        optimizer: Optimizer,
        *inputs: Tensor,
    ) -> Tensor:
        each = len(inputs) // len(kinds)
        parts = [inputs[start : start + each] for start in range(0, len(inputs), each)]
        batches = [self._batch(kind, *part) for kind, part in zip(kinds, parts, strict=True)]
        step = self.step_of(optimizer)
        loss, gradients = rule(batches, step)
        optimizer.step(gradients)
        if end is not None:
            end(step)
        return self.add_loss(loss, sum(len(batch.labels_B) for batch in batches))

    def step_of(self, optimizer: Optimizer) -> Step:
        """Return what a rule computes with beside its batches."""
        return Step(optimizer.parameters, self._numbers, self._kept)

    def add_loss(self, loss: Tensor, images: int) -> Tensor:
        """Count the mean loss of so many images of the epoch; return the sum so far."""
        return self._loss_sum.add_(loss.detach(), alpha=images)

    def _batch(self, kind: StreamKind, indices_B: Tensor, labels_B: Tensor, *streamed: Tensor) -> Batch:
        views_BCHW = self.views(kind, indices_B, *streamed)
        taught = self.taught(kind, indices_B, views_BCHW)
        return Batch(self._forward(views_BCHW), labels_B, taught)

    def views(self, kind: StreamKind, indices_B: Tensor, *streamed: Tensor) -> Tensor:
        """Return the views of a stream's images in this epoch, in [0, 255]."""
        _, added = kind
        return (self._views_and_added if added else self._views)(indices_B, *streamed)

    @torch.no_grad()
    def taught(self, kind: StreamKind, indices_B: Tensor, views_BCHW: Tensor) -> dict[str, Tensor]:
        """Return the logits of each teacher of a stream on its views."""
        teachers, _ = kind
        return {name: self._taught(name, indices_B, views_BCHW) for name in teachers}

    def _taught(self, name: str, indices_B: Tensor, views_BCHW: Tensor) -> Tensor:
        if self.augmentation.numbers:
            return self._by(self._teachers[name], views_BCHW)
        return self._kept[f"teacher {name}"][0][indices_B]

    def _views(self, indices_B: Tensor, streamed_BCHW: Tensor | None = None) -> Tensor:
        images_BCHW = self.images_NCHW[indices_B] if streamed_BCHW is None else streamed_BCHW
        return self.augmentation.apply(images_BCHW, self._drawn_ND[indices_B])

    def _views_and_added(self, indices_B: Tensor, *streamed: Tensor) -> Tensor:
        count = len(self.images_NCHW)
        own_BCHW = self._views(indices_B.clamp(max=count - 1), *streamed).float()
        added_BCHW = self._kept["added"][0][(indices_B - count).clamp(min=0)]
        return torch.where((indices_B >= count)[:, None, None, None], added_BCHW, own_BCHW)

    def _forward(self, images_BCHW: Tensor) -> Tensor:
        return self._by(self.model, images_BCHW)

    def _by(self, model: nn.Module, images_BCHW: Tensor) -> Tensor:
        return logits_by(model, images_BCHW, self.precision)

    def _logits(self, images_BCHW: Tensor, batch_size: int) -> Tensor:
        """Compute a batch; a GPU replays the recording of a full one, whose rows do not depend on one another."""
        if self._replays is None:
            return self._forward(images_BCHW)
        count = len(images_BCHW)
        full_BCHW = pad(images_BCHW, [0] * 6 + [0, batch_size - count])
        return self._do(("predict",), self._forward, full_BCHW)[:count].clone()
