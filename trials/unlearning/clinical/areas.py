"""The areas under the ROC curve of each class against the rest, and their mean, with the variance over images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unlearning.roc import Area, Placements


def class_placements(scores_NK: Tensor, labels_N: Tensor) -> list[Placements | None]:
    """Return what each image adds to the area of each class against the rest.

    Args:
        scores_NK: float64, on the CPU; column k is the score of class k against the rest.
        labels_N: int64, on the CPU.

    Returns:
        One for each class; None for a class without an image, or with all of them.
    """
    found: list[Placements | None] = []
    for k in range(scores_NK.shape[1]):
        positives_P, negatives_M = scores_NK[labels_N == k, k], scores_NK[labels_N != k, k]
        found.append(Placements.of(positives_P, negatives_M) if len(positives_P) and len(negatives_M) else None)
    return found


def macro_area(placements_K: Sequence[Placements | None], labels_N: Tensor) -> Area | None:
    """Return the unweighted mean over the classes of the area of each against the rest, or of differences of such.

    An image is a positive of its own class and a negative of the others, so the areas depend on each other. The
    variance is that of the mean over images of what each adds to the average, which for one class is DeLong's up to a
    factor near 1 (DeLong et al., Biometrics 1988, by its structural components).

    Args:
        placements_K: one for each class.
        labels_N: int64, on the CPU; of the images of the placements.

    Returns:
        None where a class has no image.
    """
    count, classes = len(labels_N), len(placements_K)
    values, added_N, least = [], torch.zeros(count, dtype=torch.float64), 0.0
    for k, found in enumerate(placements_K):
        if found is None:
            return None
        value, least = found.area.value, found.least
        values.append(value)
        for side_S, images_N in ((found.positives_P, labels_N == k), (found.negatives_M, labels_N != k)):
            added_N[images_N] += (side_S - value) * count / (len(side_S) * classes)
    return Area(sum(values) / classes, float(added_N.square().sum()) / (count * (count - 1)), least)
