"""The contract of a metric: what it is called, what its values mean, and how they are computed."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from unlearning.metrics._evaluation import Evaluation, Group

Direction = Literal["oracle", "higher", "lower"]


@dataclass(frozen=True)
class Value:
    """What a metric gives for one group of images, or for one class of it.

    Attributes:
        group: the images that were looked at; None where the value belongs to no group, such as a gap.
        value: nan where the definition has no value, as for a class without images.
        n: how many images; None where that says nothing.
        class_index: the class, from 0; None for all classes together.
        low, high: ends of an interval around the value, where the metric gives one.
    """

    group: Group | None
    value: float
    n: int | None = None
    class_index: int | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as rows and studies call it; the same as its key in `METRICS`.
        version: raised by hand whenever its values change their meaning.
        title: for people, a phrase.
        compute: a function, or an object of a class with ``__call__``, that returns the values of an evaluation, the
            one over all classes first; none where it does not apply.
        unit: ``fraction``, or another; empty where there is none.
        direction: ``oracle`` where the target is the oracle's value, else whether ``higher`` or ``lower`` is better.
        source: the paper, or where its definition is kept.
        groups: the groups of images that it has values of; empty where a value belongs to none.
        per_class: whether it has a value for each class.
        multi_label: whether it is meant for images with several labels too; a study of such data that names another
            metric is refused.
        in_objective: whether it is one of the measures whose distance to the oracle's a search makes small.
        in_gap: whether it is one of those whose distance is reported as the gap.
    """

    name: str
    version: int
    title: str
    compute: Callable[[Evaluation], Iterable[Value]]
    unit: str = "fraction"
    direction: Direction = "oracle"
    source: str = ""
    groups: tuple[Group, ...] = ()
    per_class: bool = False
    multi_label: bool = False
    in_objective: bool = False
    in_gap: bool = False

    def overall(self, evaluation: Evaluation) -> float:
        """Return the value over all classes, which `compute` gives first; nan where the metric has none."""
        first = next(iter(self.compute(evaluation)), None)
        return math.nan if first is None or first.class_index is not None else first.value


@dataclass(frozen=True)
class Measure:
    """One value of one metric of one model, as it is recorded.

    Attributes:
        metric, version: of the metric.
    """

    metric: str
    version: int
    value: Value


def by_class(group: Group, values_K: Iterable[float], counts_K: Iterable[int]) -> Iterable[Value]:
    """Make the values of each class of a group.

    Args:
        counts_K: how many images of each class there are.
    """
    for index, (value, count) in enumerate(zip(values_K, counts_K, strict=True)):
        yield Value(group, value, count, class_index=index)


def overall_of(metrics: Iterable[Metric], evaluation: Evaluation) -> dict[str, float]:
    """Return the value of each metric over all classes, by name."""
    return {metric.name: metric.overall(evaluation) for metric in metrics}
