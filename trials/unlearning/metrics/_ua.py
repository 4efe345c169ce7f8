"""UA: how much of the forget set the model gets wrong, of all of it and class by class."""

from collections.abc import Iterator

from unlearning.metrics._base import Metric, Value, by_class
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics.accuracy import per_class_unlearning_accuracy, unlearning_accuracy


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    forget = evaluation.of("forget")
    yield Value("forget", unlearning_accuracy(forget), len(forget))
    yield from by_class("forget", per_class_unlearning_accuracy(forget), forget.count_per_class())


UA = Metric(
    name="ua",
    version=1,
    title="unlearning accuracy: 1 - accuracy on the forget set",
    compute=_compute,
    source="Fan et al., SalUn, ICLR 2024",
    groups=("forget",),
    per_class=True,
    multi_label=True,
    in_objective=True,
    in_gap=True,
)
