"""Operating points: the score from which on a classifier calls an image positive, chosen on given images.

A score is a log-odds, so that probabilities which round to 1 still differ.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def log_odds(logits_NK: Tensor, classes: Sequence[int]) -> Tensor:
    """Return the log-odds of a group of classes against all others: float64, (N,), on the CPU.

    It grows with the sum of the group's softmax probabilities, and is 0 where that is one half.

    Args:
        classes: positions of the group's classes; neither none nor all of them.
    """
    logits_NK = logits_NK.detach().cpu().double()
    within_K = torch.zeros(logits_NK.shape[1], dtype=torch.bool)
    within_K[list(classes)] = True
    return logits_NK[:, within_K].logsumexp(1) - logits_NK[:, ~within_K].logsumexp(1)


def youden_point(scores_N: Tensor, positive_N: Tensor) -> float | None:
    """Return the threshold with the largest sensitivity + specificity - 1; of several the highest, always a score.

    Source: Youden, "Index for rating diagnostic tests", Cancer 1950.

    Args:
        scores_N: an image is called positive from the threshold on.
        positive_N: bool, whether it is.

    Returns:
        None where no image is positive, or all are.
    """
    positives_P, negatives_M = scores_N[positive_N].sort().values, scores_N[~positive_N].sort().values
    if not len(positives_P) or not len(negatives_M):
        return None
    thresholds_T = scores_N.unique().flip(0)
    called_P, called_M = (
        len(side) - torch.searchsorted(side, thresholds_T.contiguous(), side="left")
        for side in (positives_P, negatives_M)
    )
    index_T = called_P * len(negatives_M) - called_M * len(positives_P)
    return float(thresholds_T[(index_T == index_T.max()).nonzero()[0, 0]])


def point_reaching(sensitivity: float, scores_N: Tensor, positive_N: Tensor) -> float | None:
    """Return the highest threshold whose sensitivity is at least as wanted, which keeps most specificity.

    Args:
        sensitivity: above 0, at most 1.
        scores_N, positive_N: as for `youden_point`.

    Returns:
        None where no image is positive, or all are.
    """
    positives_P = scores_N[positive_N].sort(descending=True).values
    if len(positives_P) in (0, len(scores_N)):
        return None
    reached_P = torch.arange(1, len(positives_P) + 1, dtype=torch.float64) / len(positives_P)
    return float(positives_P[int((reached_P < sensitivity).sum())])
