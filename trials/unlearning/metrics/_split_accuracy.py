"""RA, VA and TA: one accuracy on three groups of images."""

from collections.abc import Iterator

from unlearning.metrics._base import Metric, Value
from unlearning.metrics._evaluation import Evaluation, Group
from unlearning.metrics.accuracy import accuracy


def _accuracy_on(group: Group, name: str, title: str, *, in_objective: bool, in_gap: bool) -> Metric:
    def compute(evaluation: Evaluation) -> Iterator[Value]:
        predictions = evaluation.of(group)
        yield Value(group, accuracy(predictions), len(predictions))

    return Metric(
        name=name,
        version=1,
        title=title,
        compute=compute,
        source="Fan et al., SalUn, ICLR 2024",
        groups=(group,),
        in_objective=in_objective,
        in_gap=in_gap,
    )


RA = _accuracy_on("retain", "ra", "accuracy on the retain set", in_objective=True, in_gap=True)
VA = _accuracy_on("val", "va", "accuracy on the validation split", in_objective=True, in_gap=False)
TA = _accuracy_on("test", "ta", "accuracy on the test split", in_objective=False, in_gap=True)
