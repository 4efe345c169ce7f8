"""Losses that several methods share."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, softmax

from unlearning.engine import Batch, Step

_NEVER = -1e10
"""A logit whose probability is zero."""


def true_loss(batch: Batch) -> Tensor:
    """Return a batch's mean cross-entropy to its labels."""
    loss: Tensor = cross_entropy(batch.logits_BK, batch.labels_B)
    return loss


def without_true_class(batch: Batch) -> Tensor:
    """Return the divergence from the teacher `original`, as it is once the true class is ruled out."""
    masked_BK = batch.taught["original"].scatter(1, batch.labels_B[:, None], _NEVER)
    return divergence(softmax(masked_BK, 1), batch.logits_BK)


def descend(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    """Descend on the cross-entropy of the step's one batch: the rule of plain training."""
    loss = true_loss(batches[0])
    return loss, step.gradients(loss)


def divergence(target_BK: Tensor, logits_BK: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return the mean over the batch of KL(target || softmax(logits / temperature)), for probabilities as targets."""
    surprise_BK = torch.special.xlogy(target_BK, target_BK) - target_BK * log_softmax(logits_BK / temperature, 1)
    mean: Tensor = surprise_BK.sum(1).mean()
    return mean


def distillation(teacher_BK: Tensor, logits_BK: Tensor, temperature: Tensor | float) -> Tensor:
    """Return T^2 times the mean KL of teacher and student, both softened by T (Hinton et al., 2015)."""
    return temperature**2 * divergence(softmax(teacher_BK / temperature, 1), logits_BK, temperature)
