"""What a training step is beyond the loss of one batch: several batches, teachers, and a rule for the gradient.

A method says what a step is by a function of its batches (`StepRule`); the engine gathers, augments, computes the
logits, lets the optimiser move the weights, counts, and records the step on a GPU. What a rule reads beside its batches
lies in tensors that keep their place (``Step.numbers``, ``Step.kept``), so one recording serves all settings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unlearning.engine._optimizer import Optimizer
from unlearning.tasks import mean_loss

NUMBERS = 4
"""How many numbers a rule may read."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""``(logits_BK, labels_B) -> scalar``."""


@dataclass(frozen=True)
class DataPass:
    """One pass over training images: which, in what order, with which labels, under which loss.

    Attributes:
        indices_M: int64, indices into the training split, in the order in which batches are cut.
        labels_M: int64, the labels to train on, which need not be the true ones.
        loss: the batch's loss; that of the labels' task, mean cross-entropy for one class an image, unless a method or
            recipe says otherwise. A recorded step is known by it, so a loss that computes with more than its arguments
            is one object for a whole run.
        clip_norm: what the gradient of a batch is scaled down to, over all parameters; None: nothing is.
    """

    indices_M: Tensor
    labels_M: Tensor
    loss: Loss = mean_loss
    clip_norm: float | None = None

    @property
    def images(self) -> int:
        """Count the images."""
        return len(self.indices_M)

    def steps(self, batch_size: int) -> int:
        """Count the batches."""
        return -(-len(self.indices_M) // batch_size)


@dataclass(frozen=True)
class Stream:
    """Images that go through the network batch by batch, alone or beside other streams.

    Attributes:
        indices_M: int64, indices into the training split, in the order in which batches are cut.
        labels_M: int64, what the rule reads beside the logits: labels to train on, as a rule.
        sizes: of the batches; together M.
        teachers: names of the teachers (`Engine.teach`) whose logits the rule reads.
        added: whether indices above those of the training split are places in the images that `Engine.add` got.
    """

    indices_M: Tensor
    labels_M: Tensor
    sizes: tuple[int, ...]
    teachers: tuple[str, ...] = ()
    added: bool = False

    @classmethod
    def cut(cls, indices_M: Tensor, labels_M: Tensor, batch_size: int, teachers: tuple[str, ...] = ()) -> "Stream":
        """Cut images into batches of this size; the last one may be smaller."""
        whole, rest = divmod(len(indices_M), batch_size)
        return cls(indices_M, labels_M, (batch_size,) * whole + ((rest,) if rest else ()), teachers)

    def cycled(self, steps: int) -> "Stream":
        """Return the first ``steps`` batches of the stream repeated without end."""
        numbers = [step % len(self.sizes) for step in range(steps)]
        indices, labels = self.indices_M.split(self.sizes), self.labels_M.split(self.sizes)
        return replace(
            self,
            indices_M=torch.cat([indices[number] for number in numbers]),
            labels_M=torch.cat([labels[number] for number in numbers]),
            sizes=tuple(self.sizes[number] for number in numbers),
        )

    def part(self, start: int, end: int | None = None) -> "Stream":
        """Return the batches from ``start`` up to and without ``end``."""
        before, sizes = sum(self.sizes[:start]), self.sizes[start:end]
        kept = slice(before, before + sum(sizes))
        return replace(self, indices_M=self.indices_M[kept], labels_M=self.labels_M[kept], sizes=sizes)

    def batches(self, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield indices and labels of each batch, on the device."""
        moved = (one.to(device, non_blocking=True).split(self.sizes) for one in (self.indices_M, self.labels_M))
        return zip(*moved, strict=True)


@dataclass(frozen=True)
class Batch:
    """A batch after its forward pass, as a rule sees it.

    Attributes:
        logits_BK: float32, of the network.
        labels_B: int64, those of the stream.
        taught: float32 logits (B, K) of each teacher of the stream on the same views of the images.
    """

    logits_BK: Tensor
    labels_B: Tensor
    taught: Mapping[str, Tensor]


@dataclass(frozen=True)
class Step:
    """What a rule computes with beside its batches.

    Attributes:
        parameters: of the network.
        numbers: float32, `NUMBERS` long: those of the pass, then zeros.
        kept: tensors by the name under which `Engine.keep` got them.
    """

    parameters: Sequence[Tensor]
    numbers: Tensor
    kept: Mapping[str, Sequence[Tensor]]

    def gradients(self, loss: Tensor) -> list[Tensor]:
        """Compute the gradient of a loss, one tensor a parameter."""
        return list(torch.autograd.grad(loss, self.parameters, materialize_grads=True))


StepRule = Callable[[Sequence[Batch], Step], tuple[Tensor, Sequence[Tensor]]]
"""Returns the step's loss and the gradient that the optimiser gets, one tensor a parameter. A function of a module,
since a recorded step is known by it."""


StepEnd = Callable[[Step], None]
"""Changes the weights in place after the optimiser has moved them; a function of a module as well."""


@dataclass(frozen=True)
class StepPass:
    """Steps that each take the next batch of every stream.

    Attributes:
        streams: with equally many batches; they pass through the network in this order, one after another.
        rule: what a step does with them.
        numbers: what the rule reads as ``Step.numbers``, at most `NUMBERS`.
        optimizer: number of the optimiser (`Engine.begin`).
        end: what follows the optimiser's move; None: nothing.
    """

    streams: tuple[Stream, ...]
    rule: StepRule
    numbers: tuple[float, ...] = ()
    optimizer: int = 0
    end: StepEnd | None = None

    @property
    def images(self) -> int:
        """Count the images of all streams."""
        return sum(len(stream.indices_M) for stream in self.streams)

    def steps(self, batch_size: int) -> int:
        """Count the steps; the streams are cut already."""
        return len(self.streams[0].sizes)


@dataclass(frozen=True)
class PlannedEpoch:
    """The steps of an epoch, before they are taken.

    Attributes:
        data_passes: run one after another, batch by batch.
        batch_size: of each `DataPass`.
        learning_rates: one for each step.
        random: of the epoch's augmentation, on the CPU; what the network draws itself, such as for dropout, follows
            from its seed.
    """

    data_passes: Sequence[DataPass | StepPass]
    batch_size: int
    learning_rates: Iterator[float]
    random: torch.Generator

    @property
    def images(self) -> int:
        """Count the images of all passes."""
        return sum(data_pass.images for data_pass in self.data_passes)


StreamKind = tuple[tuple[str, ...], bool]
"""The teachers of a stream, and whether it has added images."""


@dataclass(frozen=True)
class PlannedStep:
    """A step with its batches, before it is taken.

    Attributes:
        name: of what is computed: all that it depends on beside state and inputs' values.
        kinds: of each stream.
        learning_rate: of this step.
        inputs: of each stream, indices and labels, and images where they are streamed.
    """

    name: tuple[object, ...]
    rule: StepRule
    end: StepEnd | None
    kinds: tuple[StreamKind, ...]
    optimizer: Optimizer
    learning_rate: float
    inputs: tuple[tuple[Tensor, ...], ...]

    @property
    def images(self) -> int:
        """Count the images of all streams."""
        return sum(len(labels_B) for _, labels_B, *_ in self.inputs)


@dataclass(frozen=True)
class Descent:
    """The rule of a `DataPass`: the gradient of its loss, scaled down where that is asked for."""

    loss: Loss
    clip_norm: float | None

    def __call__(self, batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the loss and its gradient."""
        [batch] = batches
        loss = self.loss(batch.logits_BK, batch.labels_B)
        gradients = step.gradients(loss)
        return loss, gradients if self.clip_norm is None else clipped(gradients, self.clip_norm)


def clipped(gradients: Sequence[Tensor], norm: Tensor | float) -> list[Tensor]:
    """Scale a gradient down to this norm over all tensors, as ``torch.nn.utils.clip_grad_norm_`` does."""
    factor = (norm / (flat_norm(gradients) + 1e-6)).clamp(max=1.0)
    return list(torch._foreach_mul(list(gradients), factor))


def flat_product(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Return the inner product of two lists of tensors of the same shapes, each taken as one vector."""
    return torch.stack([(mine * yours).sum() for mine, yours in zip(one, other, strict=True)]).sum()


def flat_norm(tensors: Sequence[Tensor]) -> Tensor:
    """Return the Euclidean norm of all tensors together."""
    norms: Tensor = torch.stack(torch._foreach_norm(list(tensors)))
    return norms.square().sum().sqrt()
