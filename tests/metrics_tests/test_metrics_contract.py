"""What holds for every built-in metric, and what is refused of one that does not keep its contract."""

import math
import pickle
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from unlearning.families import PluginError
from unlearning.metrics import (
    BUILT_IN,
    METRICS,
    REPORT_METRICS,
    SEARCH_METRICS,
    Evaluation,
    Metric,
    MetricError,
    Predictions,
    Value,
    measures_of,
    versions,
)
from unlearning.testing import METRIC_CHECKS, name_of


def evaluation(seed: int = 0) -> Evaluation:
    random = torch.Generator().manual_seed(seed)
    predictions = {
        split: Predictions(torch.randn(count, 3, generator=random), torch.arange(count) % 3)
        for split, count in (("train", 60), ("val", 30), ("test", 30))
    }
    return Evaluation(predictions, torch.arange(15), torch.arange(15, 60), "test", seed=0)  # type: ignore[arg-type]


@pytest.fixture
def measured() -> Evaluation:
    oracle = evaluation(1)
    return replace(evaluation(), oracle=oracle, references=(oracle,))


@pytest.mark.parametrize("check", METRIC_CHECKS, ids=name_of)
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_metric_keeps_the_contract(name: str, check: Callable[[Metric], None]) -> None:
    check(METRICS[name])


def test_the_share_of_right_labels_is_measured_of_several_labels_alone() -> None:
    labels = torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0]])
    values = torch.tensor([[1.0, -1.0], [-1.0, -1.0], [1.0, 1.0], [1.0, 1.0]])
    several = replace(evaluation(), predictions={"test": Predictions(values, labels)})
    [found] = measures_of(several, {"label_accuracy": METRICS["label_accuracy"]})
    assert (found.value.value, found.value.n) == (5 / 8, 4)
    assert measures_of(evaluation(), {"label_accuracy": METRICS["label_accuracy"]}) == []


def one_of_forget(evaluation: Evaluation) -> list[Value]:
    return [Value("forget", 1.0)]


def drawn(evaluation: Evaluation) -> list[Value]:
    return [Value("forget", float(torch.rand(1)))]


def none(evaluation: Evaluation) -> list[Value]:
    return []


KEPT = Metric("kept", 1, "a constant", one_of_forget, source="this test", groups=("forget",))


@pytest.mark.parametrize(
    ("faulty", "problem"),
    [
        (replace(KEPT, name="kept well"), "wanted a name of letters, digits and _, got 'kept well'"),
        (replace(KEPT, version=0), "wanted a version that is a whole number from 1, got 0"),
        (replace(KEPT, title=""), "a metric has a title"),
        (replace(KEPT, groups=("test",)), "wanted values of the groups .*'test'.*, got one of forget"),
        (replace(KEPT, groups=("forget", "test")), "wanted values of the groups"),
        (replace(KEPT, per_class=True), "wanted values of the classes {0, 1, 2}"),
        (replace(KEPT, compute=drawn), "a second run on the same evaluation differs"),
        (replace(KEPT, compute=none), "it gives no value"),
        (replace(KEPT, compute=lambda _: []), "it cannot be pickled: "),
    ],
)
def test_the_checks_find_a_metric_that_does_not_keep_the_contract(faulty: Metric, problem: str) -> None:
    for check in METRIC_CHECKS:
        check(KEPT)
    with pytest.raises(AssertionError, match=problem):
        for check in METRIC_CHECKS:
            check(faulty)


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (one_of_forget, "wanted an unlearning.metrics.Metric, got <function one_of_forget"),
        (replace(KEPT, compute=partial(one_of_forget)), "wanted compute to be a function, or an object of a class"),
        (replace(KEPT, in_gap=True), "wanted in_objective and in_gap to be false"),
        (replace(KEPT, name="ua"), r"the metric 'ua' of lethe [\d.]+ exists"),
    ],
)
def test_no_such_metric_can_be_added(part: Any, problem: str) -> None:
    with pytest.raises(PluginError, match=problem):
        METRICS.add(part)


def test_a_copy_of_a_metric_is_known_by_the_package_of_the_original() -> None:
    copies = [pickle.loads(pickle.dumps(metric)) for metric in BUILT_IN.values()]
    assert {METRICS.package_of(copy) for copy in copies} == {METRICS.package("ua")}
    assert METRICS.package_of(replace(KEPT, name="ua")) is None


def test_the_objective_of_a_search_and_the_reported_gap_are_those_of_the_literature() -> None:
    assert SEARCH_METRICS == ("ua", "ra", "va", "mia")
    assert REPORT_METRICS == ("ua", "ra", "ta", "mia")


def test_versions_name_every_metric() -> None:
    assert versions() == {name: metric.version for name, metric in BUILT_IN.items()}
    assert versions()["ua"] == 1


def test_the_documentation_has_every_metric_and_its_version() -> None:
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    table = page.partition("## What every metric has")[2].partition("\n\nThe version")[0]
    documented = {
        name: int(version)
        for names, version in re.findall(r"^\| (`.*?) \| (\d+) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert documented == versions()


def metric(compute: Callable[[Evaluation], Iterable[Value]], **options: object) -> dict[str, Metric]:
    return {"own": Metric(name="own", version=1, title="", compute=compute, **options)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        (
            metric(lambda _: [Value("val", 0.5)], groups=("test",)),
            "wanted values of the groups .*'test'.*got one of val",
        ),
        (metric(lambda _: [Value(None, 0.5, class_index=1)]), "wanted no value of a single class, got one of 1"),
        (metric(lambda _: [Value(None, math.inf)]), "wanted finite values, or nan for none, got inf"),
        (
            metric(lambda _: [], in_gap=True),
            "wanted in_objective and in_gap to be false.*only ua, ra, va, ta, mia enter it",
        ),
        ({"other": METRICS["ua"]}, "metric 'ua' is entered as 'other'"),
    ],
)
def test_a_metric_that_does_not_keep_its_contract_is_named(
    metrics: dict[str, Metric], problem: str, measured: Evaluation
) -> None:
    with pytest.raises(ValueError, match=problem):
        measures_of(measured, metrics)


def test_a_metric_that_raises_is_named_with_what_it_raised(measured: Evaluation) -> None:
    with pytest.raises(MetricError, match="metric 'own': ZeroDivisionError: division by zero"):
        measures_of(measured, metric(lambda _: [Value("test", 1 / 0)]))
