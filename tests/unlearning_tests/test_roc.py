"""The area under the ROC curve with DeLong's variance, and the rate at few false alarms."""

from pathlib import Path

import numpy as np
import pytest
import torch

from unlearning.roc import Area, Placements, area_under_curve, true_positive_rate

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "audits.npz")


@pytest.mark.parametrize("kind", ["continuous", "ties"])
@pytest.mark.parametrize(("number", "scores"), [(0, "a"), (1, "b")])
def test_area_and_variance_are_those_of_public_code(kind: str, number: int, scores: str) -> None:
    labels, values = (torch.from_numpy(REFERENCE[f"delong/{name}"]) for name in ("labels", f"{kind}_{scores}"))
    area = area_under_curve(values[labels == 1].double(), values[labels == 0].double())
    assert area.value == pytest.approx(REFERENCE[f"delong/{kind}_auc"][number], abs=1e-14)
    assert area.variance == pytest.approx(REFERENCE[f"delong/{kind}_var"][number], abs=1e-15)


@pytest.mark.parametrize("kind", ["continuous", "ties"])
def test_the_variance_of_a_difference_has_the_covariance_of_public_code(kind: str) -> None:
    labels = torch.from_numpy(REFERENCE["delong/labels"])
    scores = [torch.from_numpy(REFERENCE[f"delong/{kind}_{name}"]).double() for name in ("a", "b")]
    first, second = (Placements.of(one[labels == 1], one[labels == 0]) for one in scores)
    covariance, areas = REFERENCE[f"delong/{kind}_cov"], REFERENCE[f"delong/{kind}_auc"]
    difference = first.minus_mean([second]).area
    assert difference.value == pytest.approx(areas[0] - areas[1], abs=1e-14)
    assert difference.variance == pytest.approx(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], abs=1e-15)


def test_areas_and_differences_are_those_published_for_the_example_of_delongs_paper() -> None:
    """Albumin, total protein and K-G score of 43 patients, those of the two outcomes apart.

    Source: DeLong et al. 1988; data and figures to four digits in the SAS/STAT user's guide, LOGISTIC, example 8.
    """
    # fmt: off
    positive_P = [
        (3.2, 6.3, 5), (3.9, 6.8, 3), (3.2, 5.8, 3), (1.6, 5.6, 5), (3.8, 5.7, 5), (3.7, 6.7, 6), (3.2, 5.4, 4),
        (3.8, 6.6, 6), (4.1, 6.6, 5), (3.6, 5.7, 5), (4.3, 7.0, 4), (2.3, 4.4, 6), (3.5, 5.8, 6), (3.8, 6.8, 7),
        (4.5, 7.4, 5), (3.7, 7.4, 5), (3.1, 6.6, 6), (4.1, 8.2, 6), (4.3, 7.0, 5), (4.3, 6.5, 4), (3.2, 5.1, 5),
        (2.6, 4.7, 6), (3.7, 6.1, 5), (3.3, 6.3, 7), (4.2, 7.7, 6), (3.5, 6.2, 5), (2.1, 4.8, 7), (4.0, 7.0, 7),
        (3.3, 5.7, 6), (3.7, 6.9, 5), (3.6, 6.6, 5),
    ]
    negative_M = [
        (3.0, 5.8, 10), (2.8, 4.8, 6), (0.9, 4.0, 5), (2.5, 5.7, 8), (3.6, 6.7, 4), (4.2, 7.6, 4), (4.0, 6.6, 6),
        (3.0, 4.7, 8), (3.3, 6.8, 6), (1.7, 4.0, 7), (2.9, 5.7, 9), (2.8, 6.2, 8),
    ]
    # fmt: on
    signs = torch.tensor([1, 1, -1])
    sides = [(signs * torch.tensor(side, dtype=torch.float64)).T.contiguous() for side in (positive_P, negative_M)]
    albumin, protein, score = (Placements.of(*scores) for scores in zip(*sides, strict=True))
    found = [albumin, protein, score, albumin.minus_mean([score]), protein.minus_mean([score])]
    published = [(0.7366, 0.0927), (0.6478, 0.1000), (0.7258, 0.1028), (0.0108, 0.0953), (-0.0780, 0.1046)]
    for one, (value, error) in zip(found, published, strict=True):
        assert (one.area.value, one.area.variance**0.5) == (
            pytest.approx(value, abs=5e-5),
            pytest.approx(error, abs=5e-5),
        )


def test_an_interval_is_cut_at_its_ends_and_absent_where_the_variance_says_nothing() -> None:
    assert Area(0.95, 0.01).interval == (pytest.approx(0.754, abs=1e-3), 1.0)
    assert Area(1.0, 0.0).interval is None
    assert Area(-0.95, 0.01, least=-1.0).interval == (-1.0, pytest.approx(-0.754, abs=1e-3))
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
