"""All metrics of one model: their values as they are recorded, each with the version of its metric."""

import math
from collections.abc import Iterator, Mapping

from unlearning.metrics._base import Measure, Metric, Value
from unlearning.metrics._evaluation import Evaluation


def measures_of(evaluation: Evaluation, metrics: Mapping[str, Metric]) -> list[Measure]:
    """Compute every metric of a table, in its order.

    Raises:
        ValueError: a metric is entered under another name, or gives a value that it does not announce.
    """
    return [
        Measure(metric.name, metric.version, value)
        for name, metric in metrics.items()
        for value in _checked(name, metric, evaluation)
    ]


def _checked(name: str, metric: Metric, evaluation: Evaluation) -> Iterator[Value]:
    if name != metric.name:
        raise ValueError(f"metric '{metric.name}' is entered as '{name}': wanted one name")
    for value in metric.compute(evaluation):
        wanted = metric.groups or (None,)
        if value.group not in wanted:
            raise ValueError(f"metric '{name}': wanted values of the groups {wanted}, got one of {value.group}")
        if value.class_index is not None and not metric.per_class:
            raise ValueError(f"metric '{name}': wanted no value of a single class, got one of {value.class_index}")
        if math.isinf(value.value):
            raise ValueError(f"metric '{name}': wanted finite values, or nan for none, got {value.value}")
        yield value
