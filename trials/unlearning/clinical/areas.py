"""The area under the ROC curve of each class against the rest, averaged, with the variance of the average."""

import torch
from torch import Tensor

from unlearning.metrics.roc import Area, share_below


def macro_area(scores_NK: Tensor, labels_N: Tensor) -> Area | None:
    """Return the unweighted mean over the classes of the area of each against the rest.

    An image is a positive of its own class and a negative of the others, so the areas depend on each other. The
    variance is that of the mean over images of what each adds to the average, which for one class is DeLong's up to a
    factor near 1 (DeLong et al., Biometrics 1988, by its structural components).

    Args:
        scores_NK: float64, on the CPU; column k is the score of class k against the rest.
        labels_N: int64, on the CPU.

    Returns:
        None where a class has no image.
    """
    count, classes = scores_NK.shape
    areas, added_N = [], torch.zeros(count, dtype=torch.float64)
    for k in range(classes):
        positive_N = labels_N == k
        positives_P, negatives_M = scores_NK[positive_N, k], scores_NK[~positive_N, k]
        if not len(positives_P) or not len(negatives_M):
            return None
        above_P, above_M = share_below(positives_P, negatives_M), 1 - share_below(negatives_M, positives_P)
        area = above_P.mean()
        areas.append(float(area))
        added_N[positive_N] += (above_P - area) * count / (len(positives_P) * classes)
        added_N[~positive_N] += (above_M - area) * count / (len(negatives_M) * classes)
    return Area(sum(areas) / classes, float(added_N.square().sum()) / (count * (count - 1)))
