"""The relative test: its permutation, and what it says of originals, oracles and what lies between."""

import pytest
import torch

from unlearning.audits import RelativeTest, audit_measures
from unlearning.audits._relative import nearer_p
from unlearning.metrics import Evaluation, Predictions


@pytest.mark.parametrize(
    ("distances", "p"),
    [
        ([1.0, 1.1, 1.2, 3.0, 3.1, 3.2], 1 / 20),
        ([3.0, 3.1, 3.2, 1.0, 1.1, 1.2], 1.0),
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 1.0),
        ([1.0, 1.2, 1.3, 1.1, 1.4, 1.5], 4 / 20),
    ],
)
def test_the_p_value_counts_the_labellings_that_bring_the_model_no_farther(distances: list[float], p: float) -> None:
    assert nearer_p(torch.tensor(distances, dtype=torch.float64)) == pytest.approx(p)


def model(seed: int, sure: float) -> Evaluation:
    """A model whose outputs vary with its seed, and which is so sure of the forget set."""
    random = torch.Generator().manual_seed(seed)
    logits_NK = torch.randn(60, 3, generator=random)
    labels_N = torch.arange(60) % 3
    logits_NK[torch.arange(30), labels_N[:30]] += sure
    return Evaluation(
        {"train": Predictions(logits_NK, labels_N)}, torch.arange(30), torch.arange(30, 60), "test", seed=0
    )


def found(audited: Evaluation) -> dict[str, float]:
    pools = {
        "originals": tuple(model(seed, 4.0) for seed in range(10, 14)),
        "oracles": tuple(model(seed, 0.0) for seed in range(20, 24)),
    }
    measures = audit_measures(RelativeTest(models=4), audited, pools, original=audited, class_names=("a", "b", "c"))
    return {one.metric: one.value.value for one in measures}


def test_an_original_is_nearer_to_originals_and_an_oracle_to_oracles() -> None:
    original, oracle = found(model(0, 4.0)), found(model(1, 0.0))
    assert original["relative_p"] == pytest.approx(1 / 70)
    assert original["relative_share"] > 0.5
    assert oracle["relative_p"] > 0.9
    assert oracle["relative_share"] < 0.5
