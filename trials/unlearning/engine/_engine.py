"""The one loop: originals, oracles, saliency and every unlearning method compute through an ``Engine``.

Images lie on the device as uint8; a step gathers, augments and scales its batch there, and nothing in an epoch waits
for the host. What differs between a training and a method is only which images are passed over in what order, with
which labels and loss (``DataPass``), and which weights may move (the masks of ``SGD``).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from unlearning.data.augment import Augmentation
from unlearning.engine._cuda_graphs import Replays, replays_wanted
from unlearning.engine._sgd import SGD

Precision = Literal["float32", "bfloat16"]

CPU_BATCH = 128
"""Images evaluated at a time on a CPU; more hold more memory, which is then returned to the system (LOG.md)."""

GPU_BATCH = 1024
"""The same on a GPU, which small batches leave idle."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""``(logits_BK, labels_B) -> scalar``."""


@dataclass(frozen=True)
class DataPass:
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


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Compute in bfloat16 where that is safe, or do nothing for float32."""
    enabled = precision == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False)


def unit_interval(images_BCHW: Tensor) -> Tensor:
    """Turn uint8 images into channels-last float32 in [0, 1]."""
    return images_BCHW.to(torch.float32, memory_format=torch.channels_last) / 255


class Engine:
    """A network and the images that it is trained on, on one device, for one run after another.

    On a GPU steps and evaluations are recorded once and replayed (`Replays`), unless the environment says no; elsewhere
    the same functions are called.

    Args:
        model: on the device, as `Network.build` made it; it is changed in place.
        images_NCHW: the whole training split, uint8, on the model's device.
        augmentation: the augmentation of training steps.

    Attributes:
        optimizer: of the run that ``begin`` began.
        images_trained: passes of a training image through the network, forward and backward, since the engine was made.
    """

    def __init__(
        self, model: nn.Module, images_NCHW: Tensor, *, augmentation: Augmentation, precision: Precision
    ) -> None:
        self.model = model
        self.images_NCHW = images_NCHW
        self.augmentation = augmentation
        self.precision = precision
        self.device = images_NCHW.device
        self.optimizer = SGD(list(model.parameters()))
        self.images_trained = 0
        self._drawn_ND = torch.zeros((len(images_NCHW), augmentation.numbers), dtype=torch.int64, device=self.device)
        self._loss_sum = torch.zeros((), device=self.device)
        changed = [*model.parameters(), *model.buffers(), *self.optimizer.velocities, self._loss_sum]
        self._replays = Replays(changed) if self.device.type == "cuda" and replays_wanted() else None

    def begin(self, *, momentum: float, weight_decay: float, masks: Sequence[Tensor] | None = None) -> None:
        """Begin a run of SGD from the weights as they are; see `SGD.begin`."""
        self.optimizer.begin(momentum=momentum, weight_decay=weight_decay, masks=masks)

    def train_epoch(
        self,
        data_passes: Sequence[DataPass],
        *,
        batch_size: int,
        learning_rates: Iterator[float],
        random: torch.Generator,
    ) -> float:
        """Run the data passes one after another, batch by batch, with the model in the mode that it is in.

        Args:
            learning_rates: one for each step.
            random: of the epoch's augmentation, on the CPU.

        Returns:
            The mean loss over the samples of the epoch; not finite when training diverged.
        """
        self._drawn_ND.copy_(self.augmentation.draw(len(self.images_NCHW), random), non_blocking=True)
        self._loss_sum.zero_()
        for data_pass in data_passes:
            indices_M = data_pass.indices_M.to(self.device, non_blocking=True)
            labels_M = data_pass.labels_M.to(self.device, non_blocking=True)
            name = ("step", data_pass.loss, self.optimizer.is_masked)
            for indices_B, labels_B in zip(indices_M.split(batch_size), labels_M.split(batch_size), strict=True):
                self.optimizer.lr.fill_(next(learning_rates))
                self._do(name, partial(self._step, data_pass.loss), indices_B, labels_B)
                self.images_trained += len(indices_B)
        return float(self._loss_sum) / sum(len(data_pass.indices_M) for data_pass in data_passes)

    @torch.no_grad()
    def predict(self, images_NCHW: Tensor, batch_size: int | None = None) -> Tensor:
        """Compute the float32 logits (N, K) of uint8 images in eval mode; they come back on the CPU in one transfer.

        Args:
            images_NCHW: on the engine's device.
            batch_size: None: what suits the device.
        """
        self.model.eval()
        batch_size = batch_size or (GPU_BATCH if self.device.type == "cuda" else CPU_BATCH)
        logits = [self._logits(images_BCHW, batch_size) for images_BCHW in images_NCHW.split(batch_size)]
        return torch.cat(logits).cpu()

    def _do(self, name: tuple[object, ...], work: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        if self._replays is None:
            return work(*inputs)
        modes = tuple(module.training for module in self.model.modules())
        return self._replays.run((*name, modes), work, inputs)

    def _step(self, loss: Loss, indices_B: Tensor, labels_B: Tensor) -> Tensor:
        images_BCHW = self.augmentation.apply(self.images_NCHW[indices_B], self._drawn_ND[indices_B])
        with autocast(self.precision, self.device):
            logits_BK = self.model(unit_interval(images_BCHW))
        batch_loss = loss(logits_BK.float(), labels_B)
        gradients = torch.autograd.grad(batch_loss, self.optimizer.parameters, materialize_grads=True)
        self.optimizer.step(gradients)
        return self._loss_sum.add_(batch_loss.detach(), alpha=len(indices_B))

    def _forward(self, images_BCHW: Tensor) -> Tensor:
        with autocast(self.precision, self.device):
            logits_BK: Tensor = self.model(unit_interval(images_BCHW)).float()
        return logits_BK

    def _logits(self, images_BCHW: Tensor, batch_size: int) -> Tensor:
        """Compute a batch; a GPU replays the recording of a full one, whose rows do not depend on one another."""
        if self._replays is None:
            return self._forward(images_BCHW)
        count = len(images_BCHW)
        full_BCHW = pad(images_BCHW, [0] * 6 + [0, batch_size - count])
        return self._do(("predict",), self._forward, full_BCHW)[:count].clone()
