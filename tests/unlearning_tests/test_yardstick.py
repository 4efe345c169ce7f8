"""What models are measured on: a search never touches test, and a model and its oracle are attacked alike."""

from math import isnan

import pytest
import torch

from unlearning.data import ImageData, Synthetic, load
from unlearning.data.forget import RandomShare, select
from unlearning.trial import Logits
from unlearning.yardstick import Yardstick


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load(Synthetic(train=200, val=60, test=40, size=8, classes=3))


def yardstick(data: ImageData, seed: int = 0) -> Yardstick:
    return Yardstick(data, select(RandomShare(fraction=0.25), data, seed=0), seed)


def logits(data: ImageData, *splits: str) -> Logits:
    random = torch.Generator().manual_seed(1)
    drawn = {name: torch.randn(len(getattr(data, name)), 3, generator=random) for name in ("train", "val", "test")}
    return {name: drawn[name] for name in splits}  # type: ignore[misc]


def test_a_search_is_measured_without_any_logits_of_test(data: ImageData) -> None:
    measures, seconds = yardstick(data).measure(logits(data, "train", "val"))
    assert 0 < measures.ua < 1
    assert seconds > 0


def test_what_search_and_report_share_is_equal_but_for_the_attacks_nonmembers(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    measures, _ = yardstick(data).measure(everything)
    report = yardstick(data).report(everything)
    assert (measures.ua, measures.ra, measures.va) == (report.ua, report.ra, report.va)
    assert report.mia == report.attacks["confidence"]
    assert len(report.recall) == 3
    assert not isnan(report.auc)


def test_the_same_seed_attacks_with_the_same_members(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    assert yardstick(data, 3).report(everything) == yardstick(data, 3).report(everything)
