"""All metrics of one model: their values as they are recorded, each with the version of its metric."""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from unlearning.errors import UnlearningError
from unlearning.metrics._base import Measure, Metric, Value
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics._mia import MIA
from unlearning.metrics._split_accuracy import RA, TA, VA
from unlearning.metrics._ua import UA

_OF_THE_GAP: Final = tuple(metric.name for metric in (UA, RA, VA, TA, MIA))
"""The metrics that may enter the objective of a search or the gap."""


class MetricError(UnlearningError):
    """A metric that raised; the message names it and what it raised."""


def measures_of(evaluation: Evaluation, metrics: Mapping[str, Metric]) -> list[Measure]:
    """Compute every metric of a table, in its order.

    Raises:
        MetricError: a metric raised.
        ValueError: a metric is entered under another name, wants to enter the gap, or gives a value that it does not
            announce.
    """
    return [
        Measure(metric.name, metric.version, value)
        for name, metric in metrics.items()
        for value in _checked(name, metric, evaluation)
    ]


def fault_of(metric: Metric) -> str | None:
    """Return what is wrong with a metric before it computes anything; None where nothing is."""
    if not (isinstance(metric.name, str) and metric.name.isidentifier()):
        return f"wanted a name of letters, digits and _, got {metric.name!r}"
    if not isinstance(metric.version, int) or isinstance(metric.version, bool) or metric.version < 1:
        return f"wanted a version that is a whole number from 1, got {metric.version!r}"
    if not callable(metric.compute) or isinstance(metric.compute, partial):
        return f"wanted compute to be a function, or an object of a class with __call__, got {metric.compute!r}"
    if (metric.in_objective or metric.in_gap) and metric.name not in _OF_THE_GAP:
        return (
            "wanted in_objective and in_gap to be false, since a gap over other measures is another quantity; only "
            f"{', '.join(_OF_THE_GAP)} enter it"
        )
    return None


def _checked(name: str, metric: Metric, evaluation: Evaluation) -> Iterator[Value]:
    if name != metric.name:
        raise ValueError(f"metric '{metric.name}' is entered as '{name}': wanted one name")
    if fault := fault_of(metric):
        raise ValueError(f"metric '{name}': {fault}")
    for value in _computed(metric, evaluation):
        wanted = metric.groups or (None,)
        if value.group not in wanted:
            raise ValueError(f"metric '{name}': wanted values of the groups {wanted}, got one of {value.group}")
        if value.class_index is not None and not metric.per_class:
            raise ValueError(f"metric '{name}': wanted no value of a single class, got one of {value.class_index}")
        if math.isinf(value.value):
            raise ValueError(f"metric '{name}': wanted finite values, or nan for none, got {value.value}")
        yield value


def _computed(metric: Metric, evaluation: Evaluation) -> Iterator[Value]:
    try:
        yield from metric.compute(evaluation)
    except Exception as error:
        raise MetricError(f"metric '{metric.name}': {type(error).__name__}: {error}") from error
