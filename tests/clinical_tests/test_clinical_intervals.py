"""Proportions and paired differences: SciPy's and published intervals, and how often they hold the truth."""

import pytest
import torch
from scipy.stats import binomtest

from unlearning.clinical import PairedCounts, Proportion


@pytest.mark.parametrize(("hits", "of"), [(0, 7), (7, 7), (1, 1), (3, 11), (812, 1024)])
def test_wilsons_interval_is_that_of_scipy(hits: int, of: int) -> None:
    theirs = binomtest(hits, of).proportion_ci(method="wilson")
    assert Proportion(hits, of).value == hits / of
    assert Proportion(hits, of).interval == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("hits", "of"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_proportion_is_refused(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match=r"a proportion: wanted hits from 0 to a number of images from 1, got "):
        Proportion(hits, of)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        (PairedCounts(36, 12, 2, 0), 0.0569, 0.3404),
        (PairedCounts(18, 12, 2, 18), 0.0562, 0.3290),
        (PairedCounts(53, 0, 0, 1), -0.0729, 0.0729),
    ],
)
def test_the_interval_of_a_paired_difference_is_the_one_that_newcombe_published(
    counts: PairedCounts, low: float, high: float
) -> None:
    assert counts.interval == pytest.approx((low, high), abs=5e-5)


def test_exchanging_the_models_turns_the_difference_and_its_interval_round() -> None:
    low, high = PairedCounts(14, 5, 1, 22).interval
    assert PairedCounts(14, 1, 5, 22).interval == pytest.approx((-high, -low))
    assert PairedCounts(14, 1, 5, 22).value == -PairedCounts(14, 5, 1, 22).value


def test_a_model_that_always_hits_against_one_that_never_does_has_the_largest_difference() -> None:
    counts = PairedCounts(0, 9, 0, 0)
    assert counts.value == counts.interval[1] == 1.0
    assert 0.4 < counts.interval[0] < 1


def test_hits_are_counted_over_the_same_images() -> None:
    first, second = torch.tensor([1, 1, 1, 0, 0]).bool(), torch.tensor([1, 0, 0, 1, 0]).bool()
    assert PairedCounts.count(first, second) == PairedCounts(both=1, first=2, second=1, neither=1)


def test_a_paired_difference_of_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="paired counts: wanted counts from 0, and at least one image"):
        PairedCounts(0, 0, 0, 0)


@pytest.mark.parametrize(("of", "both", "alone"), [(60, 0.8, 0.08), (300, 0.85, 0.03)])
def test_the_interval_of_a_paired_difference_covers_the_truth_in_about_95_of_100_draws(
    of: int, both: float, alone: float
) -> None:
    random = torch.Generator().manual_seed(0)
    shares = torch.tensor([both, alone, alone / 2, 1 - both - 1.5 * alone])
    drawn = torch.multinomial(shares, 2000 * of, replacement=True, generator=random).view(2000, of)
    counts = [PairedCounts(*torch.bincount(one, minlength=4).tolist()) for one in drawn]
    covered = sum(one.interval[0] <= alone / 2 <= one.interval[1] for one in counts) / 2000
    assert 0.93 <= covered <= 0.97
    missed_below = sum(one.interval[0] > alone / 2 for one in counts) / 2000
    assert missed_below <= 0.035
