"""How often a model is right: the share of samples that it recognises, of all of them and class by class.

Every function is pure and computes on the predictions' device.
"""

import torch
from torch import Tensor

from unlearning.metrics._predictions import Predictions


def accuracy(predictions: Predictions) -> float:
    """Return the share of samples whose largest logit is the true class's: RA on D_r, VA on val, TA on test.

    Returns:
        A fraction in [0, 1]; nan without samples.
    """
    return float(_is_right(predictions).double().mean())


def unlearning_accuracy(forget: Predictions) -> float:
    """Return UA, the share of D_f that the model gets wrong: 1 - accuracy (Fan et al., "SalUn", ICLR 2024)."""
    return 1 - accuracy(forget)


def per_class_recall(predictions: Predictions) -> tuple[float, ...]:
    """Return for each class the share of its samples that are recognised; 1 - recall is its false-negative rate.

    Returns:
        K fractions; nan for a class without samples.
    """
    return share_per_class(_is_right(predictions), predictions)


def per_class_unlearning_accuracy(forget: Predictions) -> tuple[float, ...]:
    """Return for each class the share of its samples in D_f that the model gets wrong.

    Returns:
        K fractions; nan for a class without samples.
    """
    return share_per_class(~_is_right(forget), forget)


def share_per_class(chosen_N: Tensor, predictions: Predictions) -> tuple[float, ...]:
    """Return for each class the share of its samples that are chosen.

    Args:
        chosen_N: bool, (N,), on the predictions' device.

    Returns:
        K fractions; nan for a class without samples.
    """
    classes = predictions.logits_NK.shape[1]
    chosen_K = torch.bincount(predictions.labels_N[chosen_N], minlength=classes)
    samples_K = torch.bincount(predictions.labels_N, minlength=classes)
    return tuple((chosen_K.double() / samples_K).tolist())


def _is_right(predictions: Predictions) -> Tensor:
    return predictions.logits_NK.argmax(1) == predictions.labels_N
