"""What holds for every metric of the table, and what is refused of one that does not keep its contract."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from unlearning.metrics import (
    METRICS,
    REPORT_METRICS,
    SEARCH_METRICS,
    Evaluation,
    Metric,
    Predictions,
    Value,
    measures_of,
    versions,
)


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


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_what_it_is_and_gives_what_it_announces(name: str, measured: Evaluation) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.version >= 1
    assert metric.title
    assert metric.source
    values = list(metric.compute(measured))
    assert {value.group for value in values} == set(metric.groups or (None,))
    assert {value.class_index for value in values} >= ({0, 1, 2} if metric.per_class else {None})
    for value in values:
        assert value.n is None or value.n > 0
        assert math.isfinite(value.value)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_computes_the_same_twice(name: str, measured: Evaluation) -> None:
    assert list(METRICS[name].compute(measured)) == list(METRICS[name].compute(measured))


def test_the_objective_of_a_search_and_the_reported_gap_are_those_of_the_literature() -> None:
    assert SEARCH_METRICS == ("ua", "ra", "va", "mia")
    assert REPORT_METRICS == ("ua", "ra", "ta", "mia")


def test_versions_name_every_metric() -> None:
    assert versions() == {name: metric.version for name, metric in METRICS.items()}
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
        ({"other": METRICS["ua"]}, "metric 'ua' is entered as 'other'"),
    ],
)
def test_a_metric_that_does_not_keep_its_contract_is_named(
    metrics: dict[str, Metric], problem: str, measured: Evaluation
) -> None:
    with pytest.raises(ValueError, match=problem):
        measures_of(measured, metrics)
