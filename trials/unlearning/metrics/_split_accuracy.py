"""RA, VA and TA: one accuracy on three groups of images."""

from collections.abc import Iterator
from dataclasses import dataclass

from unlearning.metrics._base import Metric, Value
from unlearning.metrics._evaluation import Evaluation, Group
from unlearning.metrics.accuracy import accuracy


@dataclass(frozen=True)
class _Accuracy:
    """How the accuracy on one group of images is computed."""

    group: Group

    def __call__(self, evaluation: Evaluation) -> Iterator[Value]:
        predictions = evaluation.of(self.group)
        yield Value(self.group, accuracy(predictions), len(predictions))


def _accuracy_on(group: Group, name: str, title: str, *, in_objective: bool, in_gap: bool) -> Metric:
    return Metric(
        name=name,
        version=1,
        title=title,
        compute=_Accuracy(group),
        source="Fan et al., SalUn, ICLR 2024",
        groups=(group,),
        multi_label=True,
        in_objective=in_objective,
        in_gap=in_gap,
    )


RA = _accuracy_on("retain", "ra", "accuracy on the retain set", in_objective=True, in_gap=True)
VA = _accuracy_on("val", "va", "accuracy on the validation split", in_objective=True, in_gap=False)
TA = _accuracy_on("test", "ta", "accuracy on the test split", in_objective=False, in_gap=True)
