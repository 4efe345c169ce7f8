"""U-LiRA: is a score of an image more likely for unlearned models or for oracles, by a Gaussian for each?"""

from typing import Final

import numpy as np

from unlearning.ensembles._array import Array

ENOUGH: Final = 31
"""Models of a Gaussian from which on each image has a variance of its own: 32 of which one is held out. Below, all
images share one (Carlini et al. 2022)."""

LEAST: Final = 1e-12
"""The smallest variance: models that all say the same would have none."""


def likelihood_ratio(scores_KS: Array, unlearned_NS: Array, oracles_MS: Array) -> Array:
    """Return N(x; unlearned) / (N(x; unlearned) + N(x; oracles)) of each score: (K, S), in [0, 1].

    Source: Hayes et al., "Inexact unlearning needs more careful evaluations", 2024, with OUT read as retrained models;
    the public code (xcadet/deepunlearn, ``munl/lira``) takes the same unlearner's models that never had the image.
    """
    ours, theirs = (_log_density(scores_KS, scores.mean(0), _variance(scores)) for scores in (unlearned_NS, oracles_MS))
    return np.asarray(1 / (1 + np.exp(np.clip(theirs - ours, -700, 700))))


def held_out_ratios(unlearned_NS: Array, oracles_MS: Array) -> tuple[Array, Array]:
    """Return the ratios of the unlearned models' scores, (N, S), and of the oracles', (M, S), each model held out.

    A model that is judged is no part of the Gaussian that it is judged by.
    """
    ours = [
        likelihood_ratio(one_S[None], np.delete(unlearned_NS, n, 0), oracles_MS) for n, one_S in enumerate(unlearned_NS)
    ]
    theirs = [
        likelihood_ratio(one_S[None], unlearned_NS, np.delete(oracles_MS, m, 0)) for m, one_S in enumerate(oracles_MS)
    ]
    return np.concatenate(ours), np.concatenate(theirs)


def _variance(scores_NS: Array) -> Array:
    variance_S = scores_NS.var(0)
    if len(scores_NS) < ENOUGH:
        variance_S = np.full_like(variance_S, variance_S.mean())
    return np.asarray(np.maximum(variance_S, LEAST))


def _log_density(scores_KS: Array, mean_S: Array, variance_S: Array) -> Array:
    return np.asarray(-((scores_KS - mean_S) ** 2) / (2 * variance_S) - np.log(variance_S) / 2)
