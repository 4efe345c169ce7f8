"""MIA-efficacy by each feature of the attack: the share of the forget set that it takes for non-members."""

from collections.abc import Iterator
from dataclasses import dataclass

from unlearning.metrics._base import Metric, Value, by_class
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics.accuracy import share_per_class
from unlearning.metrics.membership import FEATURES, Feature


@dataclass(frozen=True)
class _Efficacy:
    """How MIA-efficacy is computed from one feature."""

    feature: Feature

    @property
    def is_main(self) -> bool:
        return self.feature == "confidence"

    def __call__(self, evaluation: Evaluation) -> Iterator[Value]:
        called_F, forget = evaluation.called_nonmember(self.feature), evaluation.of("forget")
        yield Value("forget", float(called_F.double().mean()), len(forget))
        if self.is_main:
            shares_K = share_per_class(called_F.to(forget.labels_N.device), forget)
            yield from by_class("forget", shares_K, forget.count_per_class())


def _efficacy(feature: Feature) -> Metric:
    """Make the metric of one feature; that from confidence is what tables call MIA, and has a value for each class."""
    compute = _Efficacy(feature)
    is_main = compute.is_main
    return Metric(
        name="mia" if is_main else f"mia_{feature}",
        version=1,
        title=f"MIA-efficacy: share of the forget set called non-member from {feature.replace('_', ' ')}",
        compute=compute,
        source="Jia et al., Model sparsity can simplify machine unlearning, NeurIPS 2023",
        groups=("forget",),
        per_class=is_main,
        multi_label=True,
        in_objective=is_main,
        in_gap=is_main,
    )


MIA = _efficacy("confidence")
MIA_BY_FEATURE = tuple(_efficacy(feature) for feature in FEATURES if feature != "confidence")
