"""One unlearning run: from an original's weights, by a method at one setting, to the logits after every epoch."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from unlearning.data import SplitName
from unlearning.methods import Method, UnlearningContext

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
    """

    epoch: int
    loss: float | None
    logits: Logits
    seconds_unlearn: float
    seconds_evaluate: float
    images_unlearn: int
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
    images: Mapping[SplitName, Tensor],
    *,
    every_epoch: bool = True,
) -> Iterator[EpochResult]:
    """Restore the original's weights, unlearn, and yield the logits after each epoch.

    Args:
        context: its model is overwritten.
        weights: state dict of the original.
        seed: of everything that the method draws.
        images: the splits to evaluate, uint8, on the model's device.
        every_epoch: evaluate after each epoch; else after the last alone.
    """
    context.model.load_state_dict(dict(weights))
    losses = method.unlearn(context, seed)
    for epoch in range(min(1, method.epochs), method.epochs + 1):
        started, trained = time.perf_counter(), context.engine.images_trained
        loss = next(losses, None)
        spent, passes = time.perf_counter() - started, context.engine.images_trained - trained
        finite = loss is None or math.isfinite(loss)
        if finite and not every_epoch and epoch < method.epochs:
            yield EpochResult(epoch, loss, {}, spent, 0.0, passes, evaluated=False)
            continue
        begun = time.perf_counter()
        logits = _evaluate(context, images) if finite else {}
        result = EpochResult(epoch, loss, logits, spent, time.perf_counter() - begun, passes)
        yield result
        if result.diverged:
            return


def _evaluate(context: UnlearningContext, images: Mapping[SplitName, Tensor]) -> Logits:
    """Compute the logits of each split; none at all if any is not finite."""
    logits = {split: context.engine.predict(images_NCHW) for split, images_NCHW in images.items()}
    return logits if all(values.isfinite().all() for values in logits.values()) else {}
