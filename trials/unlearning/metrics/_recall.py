"""Recall of each class on the test split: a model can match the oracle on average and fail one class."""

from collections.abc import Iterator

from unlearning.metrics._base import Metric, Value, by_class
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics.accuracy import per_class_recall


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    test = evaluation.of("test")
    yield from by_class("test", per_class_recall(test), test.count_per_class())


RECALL = Metric(
    name="recall",
    version=1,
    title="share of a class's test images that are recognised; 1 - recall is its false-negative rate",
    compute=_compute,
    source="docs/methods.md",
    groups=("test",),
    per_class=True,
    multi_label=True,
)
