"""A soft-margin support vector classifier with a Gaussian kernel, made for thousands of points with few features.

LIBSVM's cost grows with the square of the points. The features of a membership attack lie in a small range, where their
kernel has a numerical rank of ten to a few hundred, so the classifier is solved over the span of that many *pivots*: an
incomplete Cholesky factor of the kernel by greedy pivoting, then a primal-dual interior-point method whose matrices
have that rank's size only (Fine and Scheinberg, "Efficient SVM training using low-rank kernel representations", JMLR
2001), with Mehrotra's predictor and corrector. The cost grows with the points alone.

The problem is that of ``sklearn.svm.SVC`` for two classes of equal size, and so is the solution, to the tolerances
below. Not offered: other kernels, classes of unequal size, weights, probabilities.

Axes: N training points, M points to decide on, D features a point, R pivots, P = R + 1 (the plane: R weights, a bias).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.distance import cdist
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

Array = NDArray[np.float64]

_BLAS = ThreadpoolController()

_FEW = 200
_FINE = 1e-10
_COARSE = 1e-6
"""The squared distance from the pivots' span that a training point may keep in feature space: ``_FINE`` while there are
fewer than ``_FEW`` pivots, ``_COARSE`` from then on."""

_GAP = 1e-11
"""The duality gap to stop at, as a share of the loss."""

_DAMPING = 1e-10
"""Added to each point's stiffness, so that Newton's matrix stays far from singular; it does not move the solution."""

_STRIDE = 0.995
"""The share of the way to the nearest bound that a step may go."""

_MAX_STEPS = 200


@dataclass(frozen=True)
class Classifier:
    """The function ``sum_r weight_r * exp(-gamma * |x - pivot_r|^2) + bias``, positive for the first class."""

    pivots_RD: Array
    weights_R: Array
    bias: float
    gamma: float

    def decide(self, points_MD: Array) -> Array:
        """Evaluate the function at each point, (M,)."""
        return _kernel(points_MD, self.pivots_RD, self.gamma) @ self.weights_R + self.bias


def fit(first_ND: Array, second_ND: Array, cost: float, gamma: float) -> Classifier:
    """Fit a classifier to two classes of equally many points.

    The bias is the midpoint of the interval that minimises the sum of hinges: LIBSVM's rule where no support vector is
    free, and the only minimum elsewhere. With classes of equal size it is a median.

    Computes on one thread, so that trials packed on a machine do not fight for its cores, and the numbers do not depend
    on how many there are.

    Args:
        first_ND: finite points of the class with positive decisions.
        second_ND: as many finite points of the other class.
        cost: the weight of the hinges against the margin, LIBSVM's ``C``.
        gamma: the kernel's factor on squared distances.
    """
    points_ND = np.concatenate([first_ND, second_ND])
    signs_N = np.repeat([1.0, -1.0], [len(first_ND), len(second_ND)])
    with _BLAS.limit(limits=1, user_api="blas"):
        factor_RN, pivots_R = _factorise(points_ND, gamma)
        normal_R = _separate(factor_RN, signs_N, cost)
    return Classifier(
        pivots_RD=points_ND[pivots_R],
        weights_R=solve_triangular(factor_RN[:, pivots_R], normal_R),
        bias=float(np.median(signs_N - normal_R @ factor_RN)),
        gamma=gamma,
    )


def _kernel(points_MD: Array, pivots_RD: Array, gamma: float) -> Array:
    values_MR: Array = np.exp(-gamma * cdist(points_MD, pivots_RD, "sqeuclidean"))
    return values_MR


def _factorise(points_ND: Array, gamma: float) -> tuple[Array, list[int]]:
    """Factor the kernel matrix as about ``factor.T @ factor``; the second result names the pivots among the points.

    The next pivot is always the point furthest from the span of the pivots so far.
    """
    factor_RN = np.empty((_FEW, len(points_ND)))
    distance_N = np.ones(len(points_ND))
    pivots: list[int] = []
    while distance_N.max() > (_FINE if len(pivots) < _FEW else _COARSE):
        rank, pivot = len(pivots), int(distance_N.argmax())
        if rank == len(factor_RN):
            factor_RN = np.concatenate([factor_RN, np.empty_like(factor_RN)])
        row_N = _kernel(points_ND, points_ND[[pivot]], gamma)[:, 0]
        row_N -= factor_RN[:rank, pivot] @ factor_RN[:rank]
        row_N /= np.sqrt(distance_N[pivot])
        factor_RN[rank] = row_N
        distance_N -= row_N**2
        distance_N[pivot] = 0.0
        pivots.append(pivot)
    return factor_RN[: len(pivots)], pivots


@dataclass(frozen=True)
class _Iterate:
    """Where the interior-point method stands, or a step from there.

    Attributes:
        plane_P: the weights and, last, the bias.
        slack_2N: the distances of each point's dual variable from its bounds 0 and ``cost``.
        price_2N: the multipliers of these two bounds.
    """

    plane_P: Array
    slack_2N: Array
    price_2N: Array

    def moved(self, step: "_Iterate", stride: float) -> "_Iterate":
        return _Iterate(
            self.plane_P + stride * step.plane_P,
            self.slack_2N + stride * step.slack_2N,
            self.price_2N + stride * step.price_2N,
        )

    def room(self, step: "_Iterate") -> float:
        """The largest stride, at most 1, that leaves slacks and prices at zero or above."""
        return float(1 / max(1.0, (-step.slack_2N / self.slack_2N).max(), (-step.price_2N / self.price_2N).max()))

    def product(self) -> float:
        """The mean product of slack and price, zero at the solution."""
        return float((self.slack_2N * self.price_2N).mean())


def _separate(factor_RN: Array, signs_N: Array, cost: float) -> Array:
    """Return the ``w`` that minimises ``|w|^2 / 2 + cost * sum max(0, 1 - sign * (w @ factor + bias))``, (R,).

    Raises:
        ArithmeticError: the duality gap did not close.
    """
    rows_PN = np.concatenate([factor_RN, np.ones((1, len(signs_N)))]) * signs_N
    ridge_P = np.append(np.ones(len(factor_RN)), 0.0)
    bounds = (2, len(signs_N))
    at = _Iterate(np.zeros(len(rows_PN)), np.full(bounds, cost / 2), np.ones(bounds))
    for _ in range(_MAX_STEPS):
        loss, gap = _loss_and_gap(rows_PN, ridge_P, cost, at)
        if gap <= _GAP * loss:
            return at.plane_P[:-1]
        newton = _newton(rows_PN, ridge_P, at)
        predictor = newton(np.zeros(bounds))
        reached = at.moved(predictor, at.room(predictor)).product()
        centre = at.product() * (reached / at.product()) ** 3
        step = newton(centre - predictor.slack_2N * predictor.price_2N)
        at = at.moved(step, _STRIDE * at.room(step))
    raise ArithmeticError(
        f"support vector classifier of {len(signs_N)} points on {len(factor_RN)} pivots: after {_MAX_STEPS} steps the "
        f"duality gap is {gap:.3g}, wanted at most {_GAP * loss:.3g}"
    )


def _loss_and_gap(rows_PN: Array, ridge_P: Array, cost: float, at: _Iterate) -> tuple[float, float]:
    """The primal objective, and how far above the dual one it stands."""
    dual_N = at.slack_2N[0]
    loss = ridge_P @ at.plane_P**2 / 2 + cost * np.maximum(0.0, 1 - at.plane_P @ rows_PN).sum()
    bound = dual_N.sum() - ridge_P @ (rows_PN @ dual_N) ** 2 / 2
    return float(loss), float(loss - bound)


def _newton(rows_PN: Array, ridge_P: Array, at: _Iterate) -> Callable[[Array], _Iterate]:
    """Prepare Newton's step from ``at`` towards given products of slack and price, (2, N).

    The dual step is eliminated, which leaves a positive definite system of the plane's size, factored once.
    """
    short_N = 1 - at.plane_P @ rows_PN
    unmet_P = rows_PN @ at.slack_2N[0] - ridge_P * at.plane_P
    stiffness_N = (at.price_2N / at.slack_2N).sum(0) + _DAMPING
    scaled_PN = rows_PN / np.sqrt(stiffness_N)
    hessian_PP = cho_factor(scaled_PN @ scaled_PN.T + np.diag(ridge_P))

    def step(products_2N: Array) -> _Iterate:
        towards_low_N, towards_high_N = products_2N / at.slack_2N
        force_N = short_N + towards_low_N - towards_high_N
        plane_P = cho_solve(hessian_PP, rows_PN @ (force_N / stiffness_N) + unmet_P)
        dual_N = (force_N - plane_P @ rows_PN) / stiffness_N
        slack_2N = np.stack([dual_N, -dual_N])
        return _Iterate(plane_P, slack_2N, (products_2N - at.price_2N * slack_2N) / at.slack_2N - at.price_2N)

    return step
