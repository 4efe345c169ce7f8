"""The loss of a recipe's trainings, where it is more than mean cross-entropy; of one class an image alone."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


@dataclass(frozen=True, eq=False)
class TrainingLoss:
    """Cross-entropy with weights of classes and smoothed labels, the arithmetic of ``torch.nn.CrossEntropyLoss``.

    With weights, the mean of a batch is over the weights of its images.

    Attributes:
        weights_K: float32, on the device of the logits; None: all classes weigh the same.
        label_smoothing: share of a label's mass that is spread over all classes (Szegedy et al., 2016).
    """

    weights_K: Tensor | None
    label_smoothing: float

    def __call__(self, logits_BK: Tensor, labels_B: Tensor) -> Tensor:
        """Return the batch's loss, a scalar."""
        return cross_entropy(logits_BK, labels_B, weight=self.weights_K, label_smoothing=self.label_smoothing)


def balanced(labels_N: Tensor) -> Tensor:
    """Return a weight for each class, N / (K x its images), so that all classes weigh the same in total: float32, (K,).

    Args:
        labels_N: int64; of all train images, whichever are trained on: an original and its oracle have one loss.
    """
    counts_K = torch.bincount(labels_N)
    return len(labels_N) / (len(counts_K) * counts_K.clamp(min=1).float())
