"""Densities of one model's scores by those of the other models, which differ in whom they count for each candidate."""

from typing import Any, Final

import numpy as np

from unlearning.ensembles._array import Array
from unlearning.ensembles._likelihood_ratio import ENOUGH, LEAST

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_SILVERMAN: Final = (4 / 3) ** 0.2


def log_densities(asked_NU: Array, scores_NU: Array, counts_NU: Mask) -> Array:
    """Return the log density of each model's scores under a Gaussian of the other models' scores, (N, U).

    Below 32 models all candidates share one variance, as in `likelihood_ratio`; the number of models that count differs
    by candidate, so it is the unbiased one. Constants are left out.

    Args:
        counts_NU: which scores count for a candidate. nan where none of the other models' does.
    """
    count_NU, mean_NU, squares_NU = _moments(scores_NU, counts_NU)
    variance_NU = _variance(count_NU, squares_NU)
    return np.asarray(-((asked_NU - mean_NU) ** 2) / (2 * variance_NU) - np.log(variance_NU) / 2)


def log_kernel_densities(asked_NU: Array, scores_NU: Array, counts_NU: Mask) -> Array:
    """Return the log density of each model's scores by a Gaussian kernel on each of the other models' scores, (N, U).

    The bandwidth is Silverman's, (4 / 3 n)^(1/5) standard deviations of the n scores, pooled as in `log_densities`: a
    fixed one would depend on the scale of the scores. Constants are left out.
    """
    count_NU, _, squares_NU = _moments(scores_NU, counts_NU)
    width_NU = _SILVERMAN * np.maximum(count_NU, 1) ** -0.2 * np.sqrt(_variance(count_NU, squares_NU))
    own_NN = np.eye(len(asked_NU), dtype=bool)
    kernel_NNU = -(((asked_NU[:, None] - scores_NU[None]) / width_NU[:, None]) ** 2) / 2
    kernel_NNU[~counts_NU[None] | own_NN[:, :, None]] = -np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.logaddexp.reduce(kernel_NNU, axis=1) - np.log(count_NU) - np.log(width_NU))


def _moments(scores_NU: Array, counts_NU: Mask) -> tuple[Array, Array, Array]:
    """Return number, mean and sum of squared deviations of the others' scores that count, (N, U) each.

    The mean is nan where there are none.
    """
    centre_U = scores_NU.mean(0)
    kept_NU = np.where(counts_NU, scores_NU - centre_U, 0.0)
    count_NU = counts_NU.sum(0) - counts_NU.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_NU = (kept_NU.sum(0) - kept_NU) / count_NU
    squares_NU = (kept_NU**2).sum(0) - kept_NU**2 - count_NU * np.nan_to_num(mean_NU) ** 2
    return count_NU, mean_NU + centre_U, np.maximum(squares_NU, 0.0)


def _variance(count_NU: Array, squares_NU: Array) -> Array:
    if count_NU.min() >= ENOUGH:
        return np.maximum(squares_NU / count_NU, LEAST)
    freedom_N1 = np.maximum(count_NU - 1, 0).sum(1, keepdims=True)
    pooled_N1 = squares_NU.sum(1, keepdims=True) / np.maximum(freedom_N1, 1)
    return np.broadcast_to(np.maximum(pooled_N1, LEAST), count_NU.shape)
