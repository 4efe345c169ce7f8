"""What models are measured on: a search never touches test, and a model and its oracle are attacked alike."""

from dataclasses import replace
from math import isnan

import pytest
import torch

from unlearning.data import ImageData, Synthetic, load
from unlearning.data.forget import RandomShare, WholeClass, select
from unlearning.evaluation import Evaluator
from unlearning.metrics import BUILT_IN, REPORT_METRICS, Measure, Value, called_nonmember, measures_of
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


def overall(measures: list[Measure]) -> dict[str, float]:
    return {one.metric: one.value.value for one in measures if one.value.class_index is None}


def by_class(measures: list[Measure], metric: str) -> list[Value]:
    return [one.value for one in measures if one.metric == metric and one.value.class_index is not None]


def test_what_search_and_report_share_is_equal_but_for_the_attacks_nonmembers(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    measures, _ = evaluator(data).measure(everything)
    report = overall(measures_of(evaluator(data).evaluation(everything), BUILT_IN))
    assert (measures.ua, measures.ra, measures.va) == (report["ua"], report["ra"], report["va"])
    assert measures.mia != report["mia"]
    assert not isnan(report["auc"])


def test_a_model_without_an_oracle_has_no_gap_and_no_tug_of_war(data: ImageData) -> None:
    measured = {
        one.metric for one in measures_of(evaluator(data).evaluation(logits(data, "train", "val", "test")), BUILT_IN)
    }
    assert BUILT_IN.keys() - measured == {"gap", "tow"}


def test_a_model_that_is_its_own_oracle_has_no_gap_and_the_whole_tug_of_war(data: ImageData) -> None:
    own = evaluator(data).evaluation(logits(data, "train", "val", "test"))
    report = overall(measures_of(replace(own, oracle=own, references=(own,)), BUILT_IN))
    assert (report["gap"], report["tow"]) == (0, 1)


def test_the_gap_is_the_mean_over_the_references_of_the_mean_distance(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    own = evaluator(data).evaluation(everything)
    others = tuple(
        evaluator(data).evaluation({split: values_NK.roll(by, 1) for split, values_NK in everything.items()})
        for by in (1, 2)
    )
    found = [BUILT_IN[name].overall(own) for name in REPORT_METRICS]
    distances = [
        abs(value - BUILT_IN[name].overall(other))
        for other in others
        for name, value in zip(REPORT_METRICS, found, strict=True)
    ]
    assert BUILT_IN["gap"].overall(replace(own, references=others)) == pytest.approx(sum(distances) / 8)
    assert min(distances) > 0


def test_measures_of_each_class_average_to_those_of_all_its_forget_images(data: ImageData) -> None:
    measures = measures_of(evaluator(data).evaluation(logits(data, "train", "val", "test")), BUILT_IN)
    for metric in ("ua", "mia"):
        values = by_class(measures, metric)
        total = sum(one.n or 0 for one in values)
        assert total == 50
        assert sum(one.value * (one.n or 0) for one in values) / total == pytest.approx(overall(measures)[metric])
        assert len({one.value for one in values}) == 3


def test_a_class_without_forget_images_has_no_measure_of_its_own(data: ImageData) -> None:
    forget = select(WholeClass(class_index=2), data, seed=0)
    measures = measures_of(Evaluator(data, forget, 0).evaluation(logits(data, "train", "val", "test")), BUILT_IN)
    for metric in ("ua", "mia"):
        values = by_class(measures, metric)
        assert [isnan(one.value) for one in values] == [True, True, False]
        assert [one.n for one in values][:2] == [0, 0]
        assert values[2].value == pytest.approx(overall(measures)[metric])


def test_an_attack_on_forgotten_classes_has_non_members_of_these_alone_in_search_and_report(data: ImageData) -> None:
    forget = select(WholeClass(class_index=2), data, seed=0)
    everything = logits(data, "train", "val", "test")
    by_class, plain = (Evaluator(data, forget, 0, classes) for classes in ("forgotten", "all"))
    members, nonmembers = by_class.evaluation(everything).attack_sides()
    assert nonmembers.labels_N.unique().tolist() == [2]
    assert len(members) == len(nonmembers) == int((data.test.labels_N == 2).sum())
    assert sorted(members.labels_N.unique().tolist()) == [0, 1]
    own, other = (one.measure(everything)[0] for one in (by_class, plain))
    assert (own.ua, own.ra, own.va) == (other.ua, other.ra, other.va)
    assert own.mia != other.mia


def test_the_same_seed_attacks_with_the_same_members(data: ImageData) -> None:
    everything = logits(data, "train", "val", "test")
    first, second = (measures_of(evaluator(data, 3).evaluation(everything), BUILT_IN) for _ in range(2))
    assert repr(first) == repr(second)


def test_a_metric_of_a_split_that_was_not_evaluated_names_those_that_were(data: ImageData) -> None:
    with pytest.raises(ValueError, match="not evaluated on the split 'test', only on train, val"):
        BUILT_IN["ta"].overall(evaluator(data).evaluation(logits(data, "train", "val")))


def test_the_losses_of_a_group_are_the_cross_entropies_of_its_images(data: ImageData) -> None:
    own = evaluator(data).evaluation(logits(data, "train"))
    forget = own.of("forget")
    expected_F = -forget.logits_NK.double().log_softmax(1).gather(1, forget.labels_N[:, None]).squeeze(1)
    torch.testing.assert_close(own.losses("forget"), expected_F)


def test_the_attack_that_is_fitted_once_is_asked_about_the_control_half_too(data: ImageData) -> None:
    measured = Evaluator(data, select(RandomShare(fraction=0.25, control=True), data, seed=0), 0).evaluation(
        logits(data, "train", "val", "test")
    )
    assert len(measured.of("control")) == 50
    for group in ("forget", "control"):
        fresh = called_nonmember(*measured.attack_sides(), measured.of(group))["confidence"]
        assert torch.equal(measured.called_nonmember("confidence", group), fresh)
        assert 0 < fresh.double().mean() < 1
    assert measured.called_nonmember("confidence").double().mean() == BUILT_IN["mia"].overall(measured)


def test_an_attack_that_is_asked_about_no_images_calls_none(data: ImageData) -> None:
    measured = evaluator(data).evaluation(logits(data, "train", "val", "test"))
    assert measured.called_nonmember("confidence", "control").shape == (0,)
