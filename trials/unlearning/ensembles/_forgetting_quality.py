"""The forgetting quality of the NeurIPS 2023 competition: an epsilon for each image, by the best of simple attacks."""

from typing import Final

import numpy as np

from unlearning.ensembles._array import Array

DELTA: Final = 1e-5
BIN: Final = 0.5
LAST_BIN: Final = 13


def forgetting_quality(unlearned_NS: Array, oracles_MS: Array) -> float:
    """Return the mean over images of 2 / 2^n, where n is the number of the bin of half a unit that epsilon lies in.

    Between 2^-12 and 1; higher is better. With N models of each kind no epsilon can be above log(N - 1) but where the
    two are separated, so that few models always score well: use it as a rank among rows of equally many models.

    Source: Triantafillou et al., "Are we making progress in unlearning?", 2024, F of the first competition; public code
    google-deepmind/unlearning_evaluation, ``metric.py``. All intervals between scores are tried here; the public grid
    misses some, which flatters.
    """
    epsilons_S = image_epsilons(unlearned_NS, oracles_MS)
    bins_S = np.minimum(np.floor(np.minimum(epsilons_S, BIN * LAST_BIN) / BIN) + 1, LAST_BIN)
    return float((2 / 2**bins_S).mean())


def image_epsilons(unlearned_NS: Array, oracles_MS: Array) -> Array:
    """Return for each image the largest epsilon that an attack by an interval of scores shows: (S,), inf if separated.

    An attack calls the models with a score inside, or outside, an interval unlearned; with x and y its rates of false
    positives and false negatives it shows log((1 - delta - x) / y) and log((1 - delta - y) / x).
    """
    return np.array([_epsilon(*pair) for pair in zip(unlearned_NS.T, oracles_MS.T, strict=True)])


def _epsilon(unlearned_N: Array, oracles_M: Array) -> float:
    values = np.unique(np.concatenate([unlearned_N, oracles_M]))
    ours, theirs = (_shares_up_to(values, scores) for scores in (unlearned_N, oracles_M))
    first, last = np.triu_indices(len(values) + 1, k=1)
    inside, false = ours[last] - ours[first], theirs[last] - theirs[first]
    positives, negatives = np.concatenate([false, 1 - false]), np.concatenate([1 - inside, inside])
    none = np.isclose(positives, 0), np.isclose(negatives, 0)
    if (none[0] & none[1]).any():
        return float("inf")
    both = ~(none[0] | none[1])
    x, y = positives[both], negatives[both]
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.concatenate([np.log((1 - DELTA - x) / y), np.log((1 - DELTA - y) / x)])
    return max(0.0, float(np.nanmax(shown, initial=0.0)))


def _shares_up_to(values: Array, scores: Array) -> Array:
    """Return the share of the scores below each cut: before the first value, between two, and behind the last."""
    return np.concatenate([[0.0], np.searchsorted(np.sort(scores), values, side="right") / len(scores)])
