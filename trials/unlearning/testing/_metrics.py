"""What every metric must do, on the predictions of a model and its oracle for three classes."""

import math
import pickle
from collections.abc import Callable, Sequence
from typing import Final

import torch

from unlearning.metrics import BUILT_IN, Evaluation, Metric, MetricError, Value, fault_of, measures_of
from unlearning.testing._evaluations import CLASSES, compared, evaluation

MetricCheck = Callable[[Metric], None]


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
    values = _values(metric, compared())
    assert values, "it gives no value"
    groups = {value.group for value in values}
    assert groups == set(metric.groups or (None,)), f"wanted values of the groups {metric.groups}, got {groups}"
    classes = {value.class_index for value in values}
    wanted = set(range(CLASSES)) if metric.per_class else {None}
    assert classes >= wanted, f"wanted values of the classes {wanted}, got {classes}"
    for value in values:
        assert math.isfinite(value.value), f"it gives {value}"
        assert value.n is None or value.n > 0, f"wanted a number of images from 1, or None, got {value}"
        assert value.low is None or value.low <= value.value, f"wanted an interval around the value, got {value}"
        assert value.high is None or value.high >= value.value, f"wanted an interval around the value, got {value}"


def accepts_a_model_without_an_oracle(metric: Metric) -> None:
    """Check that it gives its values, or none, where there is nothing to compare a model with."""
    _values(metric, evaluation(0))


def computes_the_same_twice_and_changes_nothing(metric: Metric) -> None:
    """Check that all that it draws comes from the evaluation's seed, and that other metrics find what they had."""
    before = torch.random.get_rng_state()
    used, untouched = compared(), measures_of(compared(), BUILT_IN)
    first = _values(metric, used)
    assert repr(_values(metric, used)) == repr(first), "a second run on the same evaluation differs"
    assert repr(_values(metric, compared())) == repr(first), "a run on an equal evaluation differs"
    assert repr(measures_of(used, BUILT_IN)) == repr(untouched), "it changed what other metrics measure"
    assert torch.equal(torch.random.get_rng_state(), before), "it moves torch's global generator"


def measures_several_labels_where_it_says_so(metric: Metric) -> None:
    """Check a metric that sets `multi_label`: it gives values, all of them finite."""
    if metric.multi_label:
        values = _values(metric, compared(several=True))
        assert values, "it gives no value"
        assert all(math.isfinite(value.value) for value in values), f"it gives {values}"


METRIC_CHECKS: Final[Sequence[MetricCheck]] = (
    says_what_it_is,
    survives_being_sent,
    gives_finite_values_of_what_it_announces,
    accepts_a_model_without_an_oracle,
    computes_the_same_twice_and_changes_nothing,
    measures_several_labels_where_it_says_so,
)
"""The contract of a metric, a check each."""


def _values(metric: Metric, model: Evaluation) -> list[Value]:
    try:
        return [measure.value for measure in measures_of(model, {metric.name: metric})]
    except (MetricError, ValueError) as error:
        raise AssertionError(str(error)) from error
