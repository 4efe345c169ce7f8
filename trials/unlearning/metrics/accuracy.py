"""How good a model's answers are: the score of its task, of all samples and class by class.

The score is the accuracy where each sample has one class, and the mean AUROC over the labels where it may have several
(`unlearning.tasks`): UA, RA, VA and TA. Every function is pure.
"""

from torch import Tensor

from unlearning.metrics._predictions import Predictions


def accuracy(predictions: Predictions) -> float:
    """Return the score of the samples: RA on D_r, VA on val, TA on test.

    Returns:
        A fraction in [0, 1]; nan without samples, or where each label is had by all samples or by none.
    """
    return predictions.task.score(predictions.logits_NK, predictions.labels_N)


def unlearning_accuracy(forget: Predictions) -> float:
    """Return UA, one minus the score on D_f: the share that the model gets wrong (Fan et al., "SalUn", ICLR 2024)."""
    return 1 - accuracy(forget)


def per_class_recall(predictions: Predictions) -> tuple[float, ...]:
    """Return for each class the share of its samples that are recognised; 1 - recall is its false-negative rate.

    Of several labels, each is predicted where its probability is above one half.

    Returns:
        K fractions; nan for a class without samples.
    """
    return predictions.task.recall_per_class(predictions.logits_NK, predictions.labels_N)


def per_class_unlearning_accuracy(forget: Predictions) -> tuple[float, ...]:
    """Return one minus the score of each class on D_f: the share of its samples that the model gets wrong.

    Returns:
        K fractions; nan for a class without samples, and for a label that all samples have.
    """
    return tuple(1 - score for score in forget.task.score_per_class(forget.logits_NK, forget.labels_N))


def share_per_class(chosen_N: Tensor, predictions: Predictions) -> tuple[float, ...]:
    """Return for each class the share of its samples that are chosen.

    Args:
        chosen_N: bool, (N,), on the predictions' device.

    Returns:
        K fractions; nan for a class without samples.
    """
    return predictions.task.share_per_class(chosen_N, predictions.labels_N, predictions.logits_NK.shape[1])
