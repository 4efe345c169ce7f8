"""A test that looks at several measures at once: do unlearned models and oracles come from one distribution?

Energy distance (Szekely and Rizzo, "Energy statistics", 2013) with label permutation, which is exact for any number of
models: nothing is assumed of the measures but that under retraining the labels could be exchanged.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

EXACT: Final = 20_000
"""Up to so many ways to deal the labels out, all are tried; beyond it so many are drawn."""


@dataclass(frozen=True)
class EnergyTest:
    """How far two groups of models lie apart.

    Attributes:
        distance: energy distance of the standardised measures, without a unit; 0 where the groups are alike.
        p: share of the permutations of the labels with at least this distance.
        least_p: the smallest p that so many models can give, or so many draws.
    """

    distance: float
    p: float
    least_p: float


def energy_test(unlearned_SM: Array, oracles_TM: Array) -> EnergyTest:
    """Test whether the measures of unlearned models are distributed as those of oracles.

    Each measure is divided by its standard deviation over all models, which does not depend on the labels; one that
    does not vary is left as it is.

    Args:
        unlearned_SM: M measures of S unlearned models.
        oracles_TM: the same measures of T oracles.

    Raises:
        ValueError: a group is empty, or a measure is not finite.
    """
    pooled_NM = np.concatenate([unlearned_SM, oracles_TM]).astype(np.float64)
    if not (len(unlearned_SM) and len(oracles_TM) and np.isfinite(pooled_NM).all()):
        raise ValueError(
            f"energy test: wanted finite measures of two groups, got {len(unlearned_SM)} and {len(oracles_TM)} models"
        )
    spread_M = pooled_NM.std(0)
    scaled_NM = pooled_NM / np.where(spread_M > 0, spread_M, 1.0)
    between_NN = np.sqrt(((scaled_NM[:, None] - scaled_NM[None]) ** 2).sum(-1))
    first_PN = _labels(len(unlearned_SM), len(pooled_NM))
    distances_P = _distances(between_NN, first_PN)
    alike = int((distances_P >= distances_P[0] - 1e-12).sum())
    exchangeable = len(unlearned_SM) == len(oracles_TM) and _is_exact(len(unlearned_SM), len(pooled_NM))
    least = 2 if exchangeable else 1  # all ways hold that of the two groups exchanged, which is as far apart
    return EnergyTest(float(distances_P[0]), alike / len(distances_P), least / len(distances_P))


def _is_exact(size: int, count: int) -> bool:
    """Return whether all ways to deal the labels out are tried."""
    return comb(count, size) <= EXACT


def _labels(size: int, count: int) -> Array:
    """Return which models are of the first group, (P, N), in each way to deal the labels out, as observed first."""
    if _is_exact(size, count):
        chosen = np.array(list(combinations(range(count), size)))
    else:
        random = np.random.default_rng(0)
        drawn = np.argsort(random.random((EXACT, count)), axis=1)[:, :size]
        chosen = np.concatenate([np.arange(size)[None], drawn])
    labels_PN = np.zeros((len(chosen), count))
    np.put_along_axis(labels_PN, chosen, 1.0, axis=1)
    return labels_PN


def _distances(between_NN: Array, first_PN: Array) -> Array:
    """Return the energy distance, (P,), of the two groups under each labelling."""
    second_PN = 1 - first_PN
    size, other = first_PN[0].sum(), second_PN[0].sum()
    to_first_PN = first_PN @ between_NN
    across_P = (to_first_PN * second_PN).sum(1) / (size * other)
    within_P = (to_first_PN * first_PN).sum(1) / size**2
    elsewhere_P = ((second_PN @ between_NN) * second_PN).sum(1) / other**2
    distances_P: Array = 2 * across_P - within_P - elsewhere_P
    return distances_P
