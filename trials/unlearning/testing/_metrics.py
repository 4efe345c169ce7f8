"""What every metric must do, on the predictions of a model and its oracle for three classes."""

import math
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import torch

from unlearning.metrics import BUILT_IN, Evaluation, Metric, Predictions, Split, Value, fault_of, measures_of

MetricCheck = Callable[[Metric], None]

_CLASSES: Final = 3
_IMAGES: Final[dict[Split, int]] = {"train": 60, "val": 30, "test": 30}
_FORGOTTEN: Final = 15


def says_what_it_is(metric: Metric) -> None:
    """Check what reports, studies and stored values call it by."""
    assert (fault := fault_of(metric)) is None, fault
    assert metric.title, "a metric has a title, a phrase for people"
    assert metric.source, "a metric has a source: the paper, or where its definition is kept"


def survives_being_sent(metric: Metric) -> None:
    """Check that other processes get the same metric: `compute` must be a function of a module, or compare as equal."""
    try:
        again = pickle.loads(pickle.dumps(metric))
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise AssertionError(f"it cannot be pickled: {error}") from error
    assert again == metric, "its pickle reads as another one"


def gives_finite_values_of_what_it_announces(metric: Metric) -> None:
    """Check the groups and classes of the values of a model that has an oracle to be compared with."""
    values = _values(metric, _compared())
    assert values, "it gives no value"
    groups = {value.group for value in values}
    assert groups == set(metric.groups or (None,)), f"wanted values of the groups {metric.groups}, got {groups}"
    classes = {value.class_index for value in values}
    wanted = set(range(_CLASSES)) if metric.per_class else {None}
    assert classes >= wanted, f"wanted values of the classes {wanted}, got {classes}"
    for value in values:
        assert math.isfinite(value.value), f"it gives {value}"
        assert value.n is None or value.n > 0, f"wanted a number of images from 1, or None, got {value}"
        assert value.low is None or value.low <= value.value, f"wanted an interval around the value, got {value}"
        assert value.high is None or value.high >= value.value, f"wanted an interval around the value, got {value}"


def accepts_a_model_without_an_oracle(metric: Metric) -> None:
    """Check that it gives its values, or none, where there is nothing to compare a model with."""
    _values(metric, _evaluation(0))


def computes_the_same_twice_and_changes_nothing(metric: Metric) -> None:
    """Check that all that it draws comes from the evaluation's seed, and that other metrics find what they had."""
    before = torch.random.get_rng_state()
    compared, untouched = _compared(), measures_of(_compared(), BUILT_IN)
    first = _values(metric, compared)
    assert repr(_values(metric, compared)) == repr(first), "a second run on the same evaluation differs"
    assert repr(_values(metric, _compared())) == repr(first), "a run on an equal evaluation differs"
    assert repr(measures_of(compared, BUILT_IN)) == repr(untouched), "it changed what other metrics measure"
    assert torch.equal(torch.random.get_rng_state(), before), "it moves torch's global generator"


METRIC_CHECKS: Final[Sequence[MetricCheck]] = (
    says_what_it_is,
    survives_being_sent,
    gives_finite_values_of_what_it_announces,
    accepts_a_model_without_an_oracle,
    computes_the_same_twice_and_changes_nothing,
)
"""The contract of a metric, a check each."""


def _values(metric: Metric, evaluation: Evaluation) -> list[Value]:
    try:
        return [measure.value for measure in measures_of(evaluation, {metric.name: metric})]
    except ValueError as error:
        raise AssertionError(str(error)) from error


def _compared() -> Evaluation:
    oracle = _evaluation(1)
    return replace(_evaluation(0), oracle=oracle, references=(oracle,))


def _evaluation(seed: int) -> Evaluation:
    random = torch.Generator().manual_seed(seed)
    predictions = {
        split: Predictions(torch.randn(count, _CLASSES, generator=random), torch.arange(count) % _CLASSES)
        for split, count in _IMAGES.items()
    }
    retain_R = torch.arange(_FORGOTTEN, _IMAGES["train"])
    return Evaluation(predictions, torch.arange(_FORGOTTEN), retain_R, "test", seed=0)
