"""How often a model is right: accuracy, unlearning accuracy, recall of each class, and MedMNIST's AUC.

Every function is pure and computes on the predictions' device, but for the AUC, which scikit-learn computes on the CPU.
"""

import numpy as np
import torch
from torch import Tensor

from unlearning.metrics._base import Predictions


def accuracy(predictions: Predictions) -> float:
    """Give the share of samples whose largest logit is the true class's: RA on D_r, VA on val, TA on test.

    Returns:
        A fraction in [0, 1]; nan without samples.
    """
    return float((predictions.logits_NK.argmax(1) == predictions.labels_N).double().mean())


def unlearning_accuracy(forget: Predictions) -> float:
    """Give UA, the share of D_f that the model gets wrong: 1 - accuracy (Fan et al., "SalUn", ICLR 2024)."""
    return 1 - accuracy(forget)


def per_class_recall(predictions: Predictions) -> tuple[float, ...]:
    """Give for each class the share of its samples that are recognised; 1 - recall is its false-negative rate.

    Returns:
        K fractions; nan for a class without samples.
    """
    return share_per_class(predictions.logits_NK.argmax(1) == predictions.labels_N, predictions)


def per_class_unlearning_accuracy(forget: Predictions) -> tuple[float, ...]:
    """Return for each class the share of its samples in D_f that the model gets wrong.

    Returns:
        K fractions; nan for a class without samples.
    """
    return share_per_class(forget.logits_NK.argmax(1) != forget.labels_N, forget)


def share_per_class(chosen_N: Tensor, predictions: Predictions) -> tuple[float, ...]:
    """Return for each class the share of its samples that are chosen.

    Args:
        chosen_N: bool, (N,), on the predictions' device.

    Returns:
        K fractions; nan for a class without samples.
    """
    labels_N, classes = predictions.labels_N, predictions.logits_NK.shape[1]
    chosen_K = torch.bincount(labels_N[chosen_N], minlength=classes)
    return tuple((chosen_K.double() / torch.bincount(labels_N, minlength=classes)).tolist())


def auc(predictions: Predictions) -> float:
    """Give the area under the ROC curve as MedMNIST defines it (``medmnist.evaluator.getAUC``, scores = softmax).

    Two classes: the AUC of the second class's score. More, ordered or not: the unweighted mean over the classes of each
    against the rest.

    Returns:
        A fraction in [0, 1]; nan where the definition has no value, which is where some class has no sample (or, of two
        classes, all of them).
    """
    from sklearn.metrics import roc_auc_score  # takes a second to import, which no search's worker needs

    classes = predictions.logits_NK.shape[1]
    labels_N = predictions.labels_N.cpu().numpy()
    scores_NK = predictions.logits_NK.detach().cpu().double().softmax(1).numpy()
    if len(np.unique(labels_N)) < classes:
        return float("nan")
    if classes == 2:
        return float(roc_auc_score(labels_N, scores_NK[:, 1]))
    return float(np.mean([roc_auc_score(labels_N == k, scores_NK[:, k]) for k in range(classes)]))
