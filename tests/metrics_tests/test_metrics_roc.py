"""The area under the ROC curve with DeLong's variance, and the rate at few false alarms."""

from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning.metrics.roc import Area, area_under_curve, true_positive_rate

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "audits.npz")


@pytest.mark.parametrize("kind", ["continuous", "ties"])
@pytest.mark.parametrize(("number", "scores"), [(0, "a"), (1, "b")])
def test_area_and_variance_are_those_of_public_code(kind: str, number: int, scores: str) -> None:
    labels, values = (torch.from_numpy(REFERENCE[f"delong/{name}"]) for name in ("labels", f"{kind}_{scores}"))
    area = area_under_curve(values[labels == 1].double(), values[labels == 0].double())
    assert area.value == pytest.approx(REFERENCE[f"delong/{kind}_auc"][number], abs=1e-14)
    assert area.variance == pytest.approx(REFERENCE[f"delong/{kind}_var"][number], abs=1e-15)


def test_an_interval_is_cut_at_its_ends_and_absent_where_the_variance_says_nothing() -> None:
    assert Area(0.95, 0.01).interval == (pytest.approx(0.754, abs=1e-3), 1.0)
    assert Area(1.0, 0.0).interval is None
    assert area_under_curve(torch.tensor([1.0]).double(), torch.tensor([0.0, 2.0]).double()).interval is None


def test_the_interval_covers_the_true_area_in_about_95_of_100_draws() -> None:
    random = torch.Generator().manual_seed(0)
    true = 0.5 * (1 + torch.erf(torch.tensor(0.5)).item())  # of two normal scores that are 1 / sqrt(2) * sqrt(2) apart
    covered = 0
    for _ in range(1000):
        positives, negatives = (torch.randn(n, generator=random).double() for n in (80, 120))
        low, high = area_under_curve(positives + 1, negatives).interval or (0.0, 0.0)
        covered += low <= true <= high
    assert 930 <= covered <= 970


@pytest.mark.parametrize(
    ("positives", "rate", "expected"),
    [([5.0, 3.0, 1.0, -1.0], 0.25, 0.5), ([5.0, 3.0, 1.0, -1.0], 0.0, 0.25), ([4.0, 4.0], 0.0, 0.0)],
)
def test_the_rate_counts_positives_above_all_but_few_negatives(
    positives: list[float], rate: float, expected: float
) -> None:
    negatives = torch.tensor([4.0, 2.0, 0.0, 0.0])
    assert true_positive_rate(torch.tensor(positives), negatives, rate) == expected
