"""The score that distributions are compared by."""

from typing import Final

import numpy as np

from unlearning.ensembles._array import Array

LEAST: Final = 2.0**-24
"""The distance from 1 below which a probability that was computed in float32 is 1."""


def margins(confidence_NS: Array) -> Array:
    """Return log p - log(1 - p) of the probability of the true class: the logit minus the log-sum-exp of the others.

    Probabilities are clipped at `LEAST` from 0 and 1, where float32 cannot tell them apart: a margin is at most 16.6.
    """
    clipped_NS = np.clip(confidence_NS, LEAST, 1 - LEAST)
    return np.asarray(np.log(clipped_NS) - np.log1p(-clipped_NS))
