"""One unlearning run: from an original's weights, by a method at one setting, to the logits after every epoch."""

import math
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from unlearning.data import SplitName
from unlearning.images import Images
from unlearning.methods import Method, Rewinding, UnlearningContext
from unlearning.seeds import derive, seeded

Logits = Mapping[SplitName, Tensor]
"""Float32 logits (N, K) on the CPU of all images of a split, by split."""


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
) -> Iterator[EpochResult]:
    """Restore the original's weights, unlearn, and yield the logits after each epoch.

    Args:
        context: its model is overwritten.
        weights: state dict of the original.
        seed: of everything that the method draws.
        images: the splits to evaluate, uint8, on the model's device, or streamed to it.
        every_epoch: evaluate after each epoch; else after the last, and after those of ``also_after``.
        stop_after: the epoch to end with, of the schedule of all; None: the method's last.
        rewind: return to an earlier epoch at the end (`Rewinding`); looking for it counts as time of unlearning.

    Raises:
        ValueError: a method without epochs, or a run that stops early, is to rewind.
    """
    if rewind and not (method.epochs and stop_after is None):
        raise ValueError(f"rewinding needs all epochs of a method, got {method.epochs}, stopping after {stop_after}")
    context.model.load_state_dict(dict(weights))
    started = time.perf_counter()
    rewinding = Rewinding(context) if rewind else None
    losses, last = method.unlearn(context, seed), method.epochs if stop_after is None else stop_after
    for epoch in range(min(1, method.epochs), last + 1):
        trained, kept = context.engine.images_trained, epoch
        with seeded(derive(seed, "network", epoch), context.engine.device):
            loss = next(losses, None)
        finite = loss is None or math.isfinite(loss)
        if rewinding and finite:
            rewinding.note()
            kept = rewinding.rewind() if epoch == last else epoch
        spent, passes = time.perf_counter() - started, context.engine.images_trained - trained
        if finite and not (every_epoch or epoch in also_after) and epoch < last:
            yield EpochResult(epoch, loss, {}, spent, 0.0, passes, kept, evaluated=False)
        else:
            begun = time.perf_counter()
            logits = _evaluate(context, images) if finite else {}
            result = EpochResult(epoch, loss, logits, spent, time.perf_counter() - begun, passes, kept)
            yield result
            if result.diverged:
                return
        started = time.perf_counter()


def _evaluate(context: UnlearningContext, images: Mapping[SplitName, Images]) -> Logits:
    """Compute the logits of each split; none at all if any is not finite."""
    logits = {split: context.engine.predict(images_NCHW) for split, images_NCHW in images.items()}
    return logits if all(values.isfinite().all() for values in logits.values()) else {}
