"""How often the membership attack is right on samples that it was not fitted to: whether MIA says anything at all."""

from collections.abc import Iterator

from unlearning.metrics._base import Metric, Value
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics.membership import attack_accuracy
from unlearning.seeds import generator


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    members, nonmembers = evaluation.attack_sides()
    found = attack_accuracy(members, nonmembers, generator(evaluation.seed, "folds"))
    yield Value("retain", found, len(members) + len(nonmembers))


ATTACK_ACCURACY = Metric(
    name="mia_balanced_accuracy",
    version=1,
    title="balanced accuracy of the attack from confidence on members and non-members it was not fitted to",
    compute=_compute,
    source="docs/methods.md",
    groups=("retain",),
    multi_label=True,
)
