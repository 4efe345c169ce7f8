"""A model's logits on a set of samples, beside the true labels."""

from dataclasses import dataclass

from torch import Tensor

from unlearning.errors import UnlearningError
from unlearning.tasks import LabelTask, task_of


class DivergedError(UnlearningError, ValueError):
    """Logits that are not finite: the model diverged, and no metric of it means anything."""


@dataclass(frozen=True)
class Predictions:
    """A model's outputs on a set of samples, finite by construction.

    Attributes:
        logits_NK: floating, (N, K), in eval mode.
        labels_N: int64, on the same device: (N,), in 0 ... K-1, or (N, K), of 0 and 1 (`unlearning.tasks`).

    Raises:
        ValueError: the labels are neither one per row of logits nor one per logit.
        DivergedError: (a ``ValueError``) a logit is infinite or not a number.
    """

    logits_NK: Tensor
    labels_N: Tensor

    def __post_init__(self) -> None:
        if self.labels_N.shape not in (self.logits_NK.shape[:1], self.logits_NK.shape):
            raise ValueError(
                f"predictions: wanted labels of shape {tuple(self.logits_NK.shape[:1])}, one per row of the logits, or "
                f"{tuple(self.logits_NK.shape)}, one per logit, got {tuple(self.labels_N.shape)}"
            )
        broken = int((~self.logits_NK.isfinite()).any(1).sum())
        if broken:
            raise DivergedError(
                f"predictions: {broken} of {len(self)} samples have logits that are not finite; the model diverged"
            )

    def __len__(self) -> int:
        return len(self.labels_N)

    @property
    def task(self) -> LabelTask:
        """What the labels mean."""
        return task_of(self.labels_N)

    def count_per_class(self) -> list[int]:
        """Count the samples of each class, K numbers."""
        return self.task.count_per_class(self.labels_N, self.logits_NK.shape[1])

    def at(self, samples: Tensor) -> "Predictions":
        """Select samples by their indices (int64) or by a mask (bool, (N,)), on the CPU or the same device."""
        samples = samples.to(self.labels_N.device)
        return Predictions(self.logits_NK[samples], self.labels_N[samples])
