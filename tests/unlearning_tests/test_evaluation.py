"""What models are measured on: a search never touches test, and a model and its oracle are attacked alike."""

from math import isnan

import pytest
import torch

from unlearning.data import ImageData, Synthetic, load
from unlearning.data.forget import RandomShare, WholeClass, select
from unlearning.evaluation import Evaluator
from unlearning.trial import Logits


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load(Synthetic(train=200, val=60, test=40, size=8, classes=3))


def evaluator(data: ImageData, seed: int = 0) -> Evaluator:
    return Evaluator(data, select(RandomShare(fraction=0.25), data, seed=0), seed)


def logits(data: ImageData, *splits: str) -> Logits:
    random = torch.Generator().manual_seed(1)
    drawn = {name: torch.randn(len(getattr(data, name)), 3, generator=random) for name in ("train", "val", "test")}
    return {name: drawn[name] for name in splits}  # type: ignore[misc]


def test_a_search_is_measured_without_any_logits_of_test(data: ImageData) -> None:
    measures, seconds = evaluator(data).measure(logits(data, "train", "val"))
    assert 0 < measures.ua < 1
    assert seconds > 0


def test_what_search_and_report_share_is_equal_but_for_the_attacks_nonmembers(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    measures, _ = evaluator(data).measure(everything)
    report = evaluator(data).report(everything)
    assert (measures.ua, measures.ra, measures.va) == (report.ua, report.ra, report.va)
    assert report.mia == report.attacks["confidence"]
    assert len(report.recall) == 3
    assert not isnan(report.auc)


def test_measures_of_each_class_average_to_those_of_all_its_forget_images(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    measured = evaluator(data)
    report = measured.report(everything)
    labels_F = data.train.labels_N[measured.forget.indices_F]
    weights_K = torch.bincount(labels_F, minlength=3) / len(labels_F)
    for whole, per_class in ((report.ua, report.ua_per_class), (report.mia, report.mia_per_class)):
        assert sum(
            share * weight for share, weight in zip(per_class, weights_K.tolist(), strict=True)
        ) == pytest.approx(whole)
        assert len(set(per_class)) == 3


def test_a_class_without_forget_images_has_no_measure_of_its_own(data: ImageData) -> None:
    forget = select(WholeClass(class_index=2), data, seed=0)
    report = Evaluator(data, forget, 0).report(logits(data, "train", "val", "test"))
    assert [isnan(share) for share in report.ua_per_class] == [True, True, False]
    assert [isnan(share) for share in report.mia_per_class] == [True, True, False]
    assert report.ua_per_class[2] == pytest.approx(report.ua)
    assert report.mia_per_class[2] == report.mia


def test_the_same_seed_attacks_with_the_same_members(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    assert evaluator(data, 3).report(everything) == evaluator(data, 3).report(everything)
