"""A model's logits on a set of samples, beside the true labels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unlearning.errors import UnlearningError


class DivergedError(UnlearningError, ValueError):
    """Logits that are not finite: the model diverged, and no metric of it means anything."""


@dataclass(frozen=True)
class Predictions:
    """A model's outputs on a set of samples, finite by construction.

    Attributes:
        logits_NK: floating, (N, K), in eval mode.
        labels_N: int64, (N,), in 0 ... K-1, on the same device.

    Raises:
        ValueError: the labels are not one per row of logits.
        DivergedError: (a ``ValueError``) a logit is infinite or not a number.
    """

    logits_NK: Tensor
    labels_N: Tensor

    def __post_init__(self) -> None:
        if self.labels_N.shape != self.logits_NK.shape[:1]:
            raise ValueError(
                f"predictions: wanted labels of shape {tuple(self.logits_NK.shape[:1])}, one per row of the logits, "
                f"got {tuple(self.labels_N.shape)}"
            )
        broken = int((~self.logits_NK.isfinite()).any(1).sum())
        if broken:
            raise DivergedError(
                f"predictions: {broken} of {len(self)} samples have logits that are not finite; the model diverged"
            )

    def __len__(self) -> int:
        return len(self.labels_N)

    def count_per_class(self) -> list[int]:
        """Count the samples of each class, K numbers."""
        counts: list[int] = torch.bincount(self.labels_N, minlength=self.logits_NK.shape[1]).tolist()
        return counts

    def at(self, samples: Tensor) -> "Predictions":
        """Select samples by their indices (int64) or by a mask (bool, (N,)), on the CPU or the same device."""
        samples = samples.to(self.labels_N.device)
        return Predictions(self.logits_NK[samples], self.labels_N[samples])
