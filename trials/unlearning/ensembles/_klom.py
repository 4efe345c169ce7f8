"""KLoM: for each image, how far the margins of unlearned models are from those of oracles."""

from typing import Final

import numpy as np

from unlearning.ensembles._array import Array

BINS: Final = 20
LEAST: Final = 1e-5
"""The smallest share that the oracles are taken to have in a bin."""


def klom(unlearned_NS: Array, oracles_MS: Array) -> Array:
    """Return the Kullback-Leibler divergence of the margins of unlearned models from those of oracles, in nats: (S,).

    Both are counted in `BINS` equal bins over the range of both, of which the last one holds its upper end. (In the
    public code it does not, so that the largest margin of every image is lost.) With few models the value is large
    even between oracles: compare it with theirs, of as many models.

    Source: Georgiev et al., "Attribute-to-delete", 2024; public code easydub/EasyDUB-code, ``eval.py``.
    """
    return np.array([_divergence(*pair) for pair in zip(unlearned_NS.T, oracles_MS.T, strict=True)])


def _divergence(unlearned_N: Array, oracles_M: Array) -> float:
    both = np.concatenate([unlearned_N, oracles_M])
    edges = np.linspace(both.min(), both.max(), BINS + 1)
    ours_B, theirs_B = (np.histogram(values, edges)[0] / len(values) for values in (unlearned_N, oracles_M))
    some_B = ours_B > 0
    return float((ours_B[some_B] * np.log(ours_B[some_B] / np.maximum(theirs_B[some_B], LEAST))).sum())
