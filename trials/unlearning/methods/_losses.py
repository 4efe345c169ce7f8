"""Losses that several methods share."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import softmax

from unlearning.engine import Batch, Step
from unlearning.tasks import MULTI_CLASS, LabelTask, mean_loss

_NEVER = -1e10
"""A logit whose probability is zero."""


def true_loss(batch: Batch) -> Tensor:
    """Return a batch's mean loss to its labels."""
    return mean_loss(batch.logits_BK, batch.labels_B)


def without_true_class(batch: Batch) -> Tensor:
    """Return the divergence from the teacher `original`, as it is once the true class is ruled out."""
    masked_BK = batch.taught["original"].scatter(1, batch.labels_B[:, None], _NEVER)
    return MULTI_CLASS.divergence(softmax(masked_BK, 1), batch.logits_BK)


def descend(batches: Sequence[Batch], step: Step) -> tuple[Tensor, Sequence[Tensor]]:
    """Descend on the loss of the step's one batch: the rule of plain training."""
    loss = true_loss(batches[0])
    return loss, step.gradients(loss)


def distillation(task: LabelTask, teacher_BK: Tensor, logits_BK: Tensor, temperature: Tensor | float) -> Tensor:
    """Return T^2 times the mean KL of teacher and student, both softened by T (Hinton et al., 2015)."""
    target_BK = task.probabilities(teacher_BK / temperature)
    return temperature**2 * task.divergence(target_BK, logits_BK, temperature)
