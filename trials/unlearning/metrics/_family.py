"""The family of metrics: those of the built-in table, of installed plug-ins, and those that a program adds."""

from collections.abc import Mapping
from typing import Final

from unlearning.families import Family
from unlearning.metrics._attack_accuracy import ATTACK_ACCURACY
from unlearning.metrics._auc import AUC
from unlearning.metrics._base import Metric
from unlearning.metrics._gap import GAP
from unlearning.metrics._label_accuracy import LABEL_ACCURACY
from unlearning.metrics._measure import fault_of
from unlearning.metrics._mia import MIA, MIA_BY_FEATURE
from unlearning.metrics._recall import RECALL
from unlearning.metrics._split_accuracy import RA, TA, VA
from unlearning.metrics._tow import TOW
from unlearning.metrics._ua import UA


class MetricFamily(Family[Metric]):
    """The metrics by name; a member is a `Metric`, not a class."""

    def _name(self, part: Metric) -> str:
        return part.name

    def _fault(self, part: object) -> str | None:
        if not isinstance(part, Metric):
            return f"wanted an unlearning.metrics.Metric, got {part!r}"
        return fault_of(part)


BUILT_IN: Final[Mapping[str, Metric]] = {
    metric.name: metric for metric in (UA, RA, VA, TA, MIA, *MIA_BY_FEATURE, ATTACK_ACCURACY, AUC, RECALL, GAP, TOW)
}
"""The metrics that ship with Lethe and are measured of every confirmed model, by name."""

METRICS: Final = MetricFamily("metric", "lethe.metrics", {**BUILT_IN, LABEL_ACCURACY.name: LABEL_ACCURACY})
"""Every metric that a study can name: the built-in ones, one that is measured only where a study names it, and those of
plug-ins and programs."""
