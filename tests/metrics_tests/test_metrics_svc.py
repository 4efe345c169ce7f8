"""Our support vector classifier against scikit-learn's at a tight tolerance, and where the fit is degenerate."""

import numpy as np
import pytest
from sklearn.svm import SVC

from unlearning.metrics import _svc

COST = 3.0


def fit_both(first_ND: np.ndarray, second_ND: np.ndarray, points_MD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gamma = 1 / first_ND.shape[1]
    classes_N = np.repeat([1, 0], [len(first_ND), len(second_ND)])
    theirs = SVC(C=COST, gamma="auto", tol=1e-6).fit(np.concatenate([first_ND, second_ND]), classes_N)
    ours = _svc.fit(first_ND, second_ND, COST, gamma)
    return ours.decide(points_MD), theirs.decision_function(points_MD)


@pytest.mark.parametrize("size", [1, 2, 30, 500])
@pytest.mark.parametrize(
    ("first", "second"),
    [((8, 1), (3, 1)), ((1, 1), (2, 2)), ((0.05, 0.05), (0.1, 0.05))],
    ids=["overlapping", "noise", "at_the_ends"],
)
def test_decisions_on_a_number_in_the_unit_interval_equal_scikit_learns(
    first: tuple[float, float], second: tuple[float, float], size: int
) -> None:
    random = np.random.default_rng(size)
    sample = (random.beta(*first, (size, 1)), random.beta(*second, (size, 1)), random.random((200, 1)))
    ours_M, theirs_M = fit_both(*sample)
    np.testing.assert_allclose(ours_M, theirs_M, atol=1e-3)


@pytest.mark.parametrize("classes", [2, 8, 11])
@pytest.mark.parametrize("size", [20, 400])
def test_decisions_on_probability_vectors_equal_scikit_learns(classes: int, size: int) -> None:
    random = np.random.default_rng(classes)
    sample = [random.dirichlet([alpha] * classes, count) for alpha, count in ((0.05, size), (0.1, size), (0.2, 200))]
    ours_M, theirs_M = fit_both(*sample)
    np.testing.assert_allclose(ours_M, theirs_M, atol=1e-3)


def test_decisions_on_widely_spread_points_equal_scikit_learns_where_the_pivots_are_many() -> None:
    random = np.random.default_rng(0)
    sample = [random.exponential(scale, (300, 1)) for scale in (15, 100, 50)]
    assert len(_svc.fit(*sample[:2], COST, 1.0).weights_R) >= _svc._FEW
    ours_M, theirs_M = fit_both(*sample)
    np.testing.assert_allclose(ours_M, theirs_M, atol=1e-2)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_decisions_equal_scikit_learns_where_most_points_are_the_same(share: float) -> None:
    random = np.random.default_rng(1)
    first_N1, second_N1 = (
        np.where(random.random((1000, 1)) < same, 1.0, random.random((1000, 1))) for same in (share, 0.9 * share)
    )
    ours_M, theirs_M = fit_both(first_N1, second_N1, np.linspace(0, 1, 200)[:, None])
    np.testing.assert_allclose(ours_M, theirs_M, atol=1e-3)


def test_separable_classes_are_separated() -> None:
    random = np.random.default_rng(2)
    first_N1, second_N1 = 0.6 + 0.4 * random.random((500, 1)), 0.4 * random.random((500, 1))
    classifier = _svc.fit(first_N1, second_N1, COST, 1.0)
    assert (classifier.decide(first_N1) > 0).all()
    assert (classifier.decide(second_N1) < 0).all()


def test_two_points_of_different_classes_have_decisions_of_one_and_minus_one() -> None:
    points_21 = np.array([[1.0], [0.0]])
    first_N1, second_N1 = np.repeat(points_21, [900, 100], axis=0), np.repeat(points_21, [700, 300], axis=0)
    np.testing.assert_allclose(_svc.fit(first_N1, second_N1, COST, 1.0).decide(points_21), [1, -1], atol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("spread", ["one point", "two points", "many points"])
def test_identical_classes_tie_everywhere(spread: str, size: int) -> None:
    draw = {"one point": np.ones, "two points": lambda n: np.arange(n) % 2.0, "many points": lambda n: np.arange(n) / n}
    points_N1 = draw[spread](size)[:, None]
    classifier = _svc.fit(points_N1[::-1], points_N1, COST, 1.0)
    np.testing.assert_allclose(classifier.decide(points_N1), 0, atol=1e-10)


def test_the_fit_is_the_same_every_time() -> None:
    random = np.random.default_rng(3)
    first_ND, second_ND = random.dirichlet([0.1] * 9, 300), random.dirichlet([0.2] * 9, 300)
    one, other = (_svc.fit(first_ND, second_ND, COST, 1 / 9) for _ in range(2))
    np.testing.assert_array_equal(one.decide(first_ND), other.decide(first_ND))
