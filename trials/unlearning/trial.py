"""One unlearning run: from an original's weights, by a method at one setting, to the logits after every epoch."""

import math
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from unlearning.data import SplitName
from unlearning.images import Images
from unlearning.methods import Method, Rewinding, UnlearningContext
from unlearning.seeds import derive, seeded

Logits = Mapping[SplitName, Tensor]
"""Float32 logits (N, K) on the CPU of all images of a split, by split."""


Losses = Callable[[UnlearningContext, Method, int], Iterator[float]]
"""Runs a method on a context from a seed, an epoch for each loss that is asked for, as `Method.unlearn` does."""


@dataclass(frozen=True)
class EpochResult:
    """A model's logits after an epoch of unlearning, and what the epoch cost.

    Attributes:
        epoch: from 1; 0 for a method that has no epochs.
        loss: mean loss of the epoch; None where there was none.
        logits: of the splits that were asked for; empty where the run diverged or was not evaluated.
        seconds_unlearn: of the method, this epoch.
        seconds_evaluate: of the logits.
        images_unlearn: passes of a training image through the network, forward and backward, this epoch.
        kept: the epoch whose weights the logits are of: another than ``epoch`` where the run rewound.
    """

    epoch: int
    loss: float | None
    logits: Logits
    seconds_unlearn: float
    seconds_evaluate: float
    images_unlearn: int
    kept: int
    evaluated: bool = True

    @property
    def diverged(self) -> bool:
        """Whether the loss or the logits stopped being finite; such a run ends with this epoch."""
        return self.evaluated and not self.logits


def unlearn(
    context: UnlearningContext,
    weights: Mapping[str, Tensor],
    method: Method,
    seed: int,
    images: Mapping[SplitName, Images],
    *,
    every_epoch: bool = True,
    also_after: Collection[int] = (),
    stop_after: int | None = None,
    rewind: bool = False,
    losses: Losses | None = None,
) -> Iterator[EpochResult]:
    """Restore the original's weights, and return a run that unlearns and yields the logits after each epoch.

    Args:
        context: its model is overwritten.
        weights: state dict of the original.
        seed: of everything that the method draws.
        images: the splits to evaluate, uint8, on the model's device, or streamed to it.
        every_epoch: evaluate after each epoch; else after the last, and after those of ``also_after``.
        stop_after: the epoch to end with, of the schedule of all; None: the method's last.
        rewind: return to an earlier epoch at the end (`Rewinding`); looking for it counts as time of unlearning.
        losses: runs the method's epochs beside those of other runs (`RunsInStep`); the time of an epoch of all is that
            of the run that is asked first. None: `Method.unlearn`.

    Raises:
        ValueError: a method without epochs, or a run that stops early, is to rewind.
    """
    if rewind and not (method.epochs and stop_after is None):
        raise ValueError(f"rewinding needs all epochs of a method, got {method.epochs}, stopping after {stop_after}")
    started, trained = time.perf_counter(), context.engine.images_trained
    context.model.load_state_dict(dict(weights))
    rewinding = Rewinding(context) if rewind else None
    run = method.unlearn(context, seed) if losses is None else losses(context, method, seed)
    last = method.epochs if stop_after is None else stop_after
    ends = range(min(1, method.epochs), last + 1)
    begun = _Begun(context, seed, images, run, ends, rewinding, trained, time.perf_counter() - started)
    return begun.epochs(every_epoch=every_epoch, also_after=also_after)


@dataclass
class _Begun:
    """A run that has begun.

    Attributes:
        losses: of its epochs, which are trained as these are asked for.
        ends: the numbers of its epochs.
        trained: images that the engine had trained on before.
        seconds: that beginning took.
    """

    context: UnlearningContext
    seed: int
    images: Mapping[SplitName, Images]
    losses: Iterator[float]
    ends: range
    rewinding: Rewinding | None
    trained: int
    seconds: float

    def epochs(self, *, every_epoch: bool, also_after: Collection[int]) -> Iterator[EpochResult]:
        """Yield the result of each epoch, and end the method's run with this one."""
        started = time.perf_counter() - self.seconds
        try:
            for epoch in self.ends:
                loss = self._loss(epoch)
                finite = loss is None or math.isfinite(loss)
                kept = self._kept(epoch) if finite else epoch
                spent, passes = time.perf_counter() - started, self.context.engine.images_trained - self.trained
                self.trained += passes
                if finite and not (every_epoch or epoch in also_after) and epoch < self.ends[-1]:
                    yield EpochResult(epoch, loss, {}, spent, 0.0, passes, kept, evaluated=False)
                else:
                    begun = time.perf_counter()
                    logits = _evaluate(self.context, self.images) if finite else {}
                    result = EpochResult(epoch, loss, logits, spent, time.perf_counter() - begun, passes, kept)
                    yield result
                    if result.diverged:
                        return
                started = time.perf_counter()
        finally:
            if isinstance(self.losses, Generator):
                self.losses.close()

    def _loss(self, epoch: int) -> float | None:
        with seeded(derive(self.seed, "network", epoch), self.context.engine.device):
            return next(self.losses, None)

    def _kept(self, epoch: int) -> int:
        """Return the epoch whose weights the network has now: another one where the run has just rewound."""
        if self.rewinding is None:
            return epoch
        self.rewinding.note()
        return self.rewinding.rewind() if epoch == self.ends[-1] else epoch


def _evaluate(context: UnlearningContext, images: Mapping[SplitName, Images]) -> Logits:
    """Compute the logits of each split; none at all if any is not finite."""
    logits = {split: context.engine.predict(images_NCHW) for split, images_NCHW in images.items()}
    return logits if all(values.isfinite().all() for values in logits.values()) else {}
