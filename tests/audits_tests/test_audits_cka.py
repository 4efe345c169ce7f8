"""Linear CKA: its invariances, the formula by kernels, and the lines of original and oracle."""

from collections.abc import Callable
from math import isnan

import pytest
import torch
from torch import Tensor

from unlearning.audits import CKA, Evidence
from unlearning.audits._cka import linear_cka

EvidenceOf = Callable[[str], Evidence]


def features(seed: int, width: int) -> Tensor:
    return torch.randn(40, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_kernels(first_ND: Tensor, second_NE: Tensor) -> float:
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) of centred linear kernels, as the paper defines CKA."""
    count = len(first_ND)
    centring_NN = torch.eye(count, dtype=torch.float64) - 1 / count
    kernels = [centring_NN @ one @ one.T @ centring_NN for one in (first_ND, second_NE)]

    def hsic(one: Tensor, other: Tensor) -> Tensor:
        return torch.trace(one @ other)

    own, other = (hsic(kernel, kernel) for kernel in kernels)
    return float(hsic(*kernels) / (own * other).sqrt())


def test_the_formula_by_features_is_the_one_by_kernels() -> None:
    first_ND, second_NE = features(0, 7), features(1, 5)
    second_NE[:, :3] += first_ND[:, :3]
    assert linear_cka(first_ND, second_NE) == pytest.approx(by_kernels(first_ND, second_NE), rel=1e-10)


def test_a_rotation_a_shift_and_a_scale_change_nothing() -> None:
    first_ND = features(0, 6)
    rotation_DD = torch.linalg.qr(features(1, 6)[:6]).Q
    assert linear_cka(first_ND, 3 * first_ND @ rotation_DD + 2) == pytest.approx(1.0, abs=1e-12)
    assert linear_cka(first_ND, features(2, 6)) < 0.5


def test_features_that_are_all_the_same_have_no_similarity() -> None:
    assert isnan(linear_cka(features(0, 3), torch.ones(40, 3, dtype=torch.float64)))


def test_the_oracles_features_are_nearer_to_another_oracles_than_the_originals_are(evidence_of: EvidenceOf) -> None:
    original, oracle, hidden = (
        {name: value.value for name, value in CKA().run(evidence_of(row))} for row in ("original", "oracle", "hidden")
    )
    assert oracle["paired"] == pytest.approx(1.0)
    assert original["paired"] < 0.9
    assert original["other"] < oracle["other"]
    assert hidden == original
