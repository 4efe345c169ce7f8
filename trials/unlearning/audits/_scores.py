"""Scores of single images by which trained ones may be told from unseen ones; high for those that look trained on."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from unlearning.metrics import Evaluation, Group, Predictions

RIDGE: Final = 1e-6
"""Added to the covariance of the standardised scores, which may depend on each other."""


def scaled_confidence(predictions: Predictions) -> Tensor:
    """Return log p - log(1 - p) of the true class, float64, (N,).

    Source: Carlini et al., "Membership inference attacks from first principles", 2022 (the logit-scaled confidence).
    """
    return predictions.task.scaled_confidence(*_on_cpu(predictions))


def simple_scores(predictions: Predictions) -> Mapping[str, Tensor]:
    """Return minus the loss, the margin of the true class's logit over the largest other, and minus the entropy.

    Returns:
        By the names loss, margin and entropy: float64, (N,).
    """
    task, (logits_NK, labels_N) = predictions.task, _on_cpu(predictions)
    return {
        "loss": task.log_likelihood(logits_NK, labels_N),
        "margin": task.margin(logits_NK, labels_N),
        "entropy": -task.entropy(logits_NK),
    }


def learned_score(evaluation: Evaluation, groups: tuple[Group, ...]) -> list[Tensor]:
    """Return, for each group of images, the score that best tells retain images from the attack's non-members.

    It is Fisher's linear discriminant of the three simple scores, and has seen neither D_f nor the control half.

    Returns:
        float64, (N,), for each group.
    """
    members_M3, nonmembers_N3 = (_features(evaluation.of(group)) for group in ("retain", evaluation.nonmembers))
    both_L3 = torch.cat([members_M3, nonmembers_N3])
    spread_3 = both_L3.std(0).clamp_min(torch.finfo(both_L3.dtype).tiny)
    scatter_33 = (_centred(members_M3 / spread_3) + _centred(nonmembers_N3 / spread_3)) / len(both_L3)
    towards_3 = (members_M3.mean(0) - nonmembers_N3.mean(0)) / spread_3
    weights_3 = torch.linalg.solve(scatter_33 + RIDGE * torch.eye(3, dtype=torch.float64), towards_3) / spread_3
    return [_features(evaluation.of(group)) @ weights_3 for group in groups]


def by_unit(scores_M: Tensor, indices_M: Tensor, unit_N: Tensor | None) -> Tensor:
    """Return the mean score of each unit: of the images that are forgotten, kept or left out together.

    Args:
        indices_M: of the images among the train images.
        unit_N: the unit of each train image; None: each is one by itself.

    Returns:
        float64, (U,), in the order of the units' numbers.
    """
    if unit_N is None:
        return scores_M
    units_U, unit_M = unit_N[indices_M].unique(return_inverse=True)
    sums_U = torch.zeros(len(units_U), dtype=torch.float64).index_add_(0, unit_M, scores_M.double())
    means_U: Tensor = sums_U / unit_M.bincount()
    return means_U


def units_of(indices_M: Tensor, unit_N: Tensor | None) -> Tensor:
    """Return the numbers of the units of images, int64, (U,), in the order of `by_unit`."""
    return indices_M if unit_N is None else unit_N[indices_M].unique()


def _features(predictions: Predictions) -> Tensor:
    return torch.stack(list(simple_scores(predictions).values()), dim=1)


def _centred(values_M3: Tensor) -> Tensor:
    centred_M3 = values_M3 - values_M3.mean(0)
    return centred_M3.T @ centred_M3


def _on_cpu(predictions: Predictions) -> tuple[Tensor, Tensor]:
    return predictions.logits_NK.detach().cpu().double(), predictions.labels_N.cpu()
