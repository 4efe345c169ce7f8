"""The distance of outputs: scipy's divergence, the ends of both distances, and the floor between two oracles."""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import numpy as np
import torch
from scipy.spatial.distance import jensenshannon

from unlearning.audits import Evidence, OutputDistance
from unlearning.audits._output_distance import activation_distance, jensen_shannon

EvidenceOf = Callable[[str], Evidence]


def test_the_divergence_is_the_square_of_scipys_distance() -> None:
    random = torch.Generator().manual_seed(0)
    first_NK, second_NK = (torch.randn(50, 5, generator=random, dtype=torch.float64).softmax(1) for _ in range(2))
    theirs_N = jensenshannon(first_NK.numpy(), second_NK.numpy(), base=2, axis=1) ** 2
    np.testing.assert_allclose(jensen_shannon(first_NK, second_NK).numpy(), theirs_N, atol=1e-12)


def test_both_distances_are_zero_of_the_same_and_largest_of_certain_opposites() -> None:
    first_NK = torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]], dtype=torch.float64)
    second_NK = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    assert jensen_shannon(first_NK, second_NK).tolist() == [0, 0, 1]
    assert activation_distance(first_NK, second_NK).tolist() == [0, 0, sqrt(2)]


def test_two_oracles_are_the_floor_and_the_original_lies_above_it(evidence_of: EvidenceOf) -> None:
    original, oracle = (
        {name: value.value for name, value in OutputDistance().run(evidence_of(row))} for row in ("original", "oracle")
    )
    assert oracle["js_paired"] == oracle["l2_paired"] == 0
    for name in ("js", "l2"):
        assert 0 < oracle[f"{name}_other"] < original[f"{name}_other"]
        assert original[f"{name}_paired"] > oracle[f"{name}_other"]


def test_a_model_without_an_oracle_is_compared_with_the_others_alone(evidence_of: EvidenceOf) -> None:
    evidence = evidence_of("original")
    alone = replace(evidence, audited=replace(evidence.audited, oracle=None))
    assert [name for name, _ in OutputDistance().run(alone)] == ["js_other", "l2_other"]
