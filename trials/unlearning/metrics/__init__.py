"""Metrics: what is measured of a model, each with its version, its meaning and how it is computed.

`METRICS` is all that is measured of a confirmed model. A metric is one file with one `Metric`, and an entry here.
"""

from typing import Final

from unlearning.metrics._attack_accuracy import ATTACK_ACCURACY
from unlearning.metrics._auc import AUC, auc
from unlearning.metrics._base import Direction, Measure, Metric, Value, by_class
from unlearning.metrics._evaluation import Evaluation, Group, Split
from unlearning.metrics._gap import GAP, average_gap
from unlearning.metrics._measure import measures_of
from unlearning.metrics._mia import MIA, MIA_BY_FEATURE
from unlearning.metrics._predictions import DivergedError, Predictions
from unlearning.metrics._recall import RECALL
from unlearning.metrics._split_accuracy import RA, TA, VA
from unlearning.metrics._tow import TOW, tug_of_war
from unlearning.metrics._ua import UA
from unlearning.metrics.accuracy import (
    accuracy,
    per_class_recall,
    per_class_unlearning_accuracy,
    share_per_class,
    unlearning_accuracy,
)
from unlearning.metrics.energy import EnergyTest, energy_test
from unlearning.metrics.membership import (
    FEATURES,
    Feature,
    attack_accuracy,
    called_nonmember,
    draw_members,
    membership_scores,
)

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric for metric in (UA, RA, VA, TA, MIA, *MIA_BY_FEATURE, ATTACK_ACCURACY, AUC, RECALL, GAP, TOW)
}
"""Every metric of a confirmed model, by name."""

SEARCH_METRICS: Final = tuple(name for name, metric in METRICS.items() if metric.in_objective)
"""What a search may look at: no metric of the test split, and the attack's non-members come from val."""

REPORT_METRICS: Final = tuple(name for name, metric in METRICS.items() if metric.in_gap)
"""What "Avg. Gap" means in the literature's tables."""


def versions() -> dict[str, int]:
    """Return the version of each metric, by name."""
    return {name: metric.version for name, metric in METRICS.items()}


__all__ = [
    "FEATURES",
    "METRICS",
    "REPORT_METRICS",
    "SEARCH_METRICS",
    "Direction",
    "DivergedError",
    "EnergyTest",
    "Evaluation",
    "Feature",
    "Group",
    "Measure",
    "Metric",
    "Predictions",
    "Split",
    "Value",
    "accuracy",
    "attack_accuracy",
    "auc",
    "average_gap",
    "by_class",
    "called_nonmember",
    "draw_members",
    "energy_test",
    "measures_of",
    "membership_scores",
    "per_class_recall",
    "per_class_unlearning_accuracy",
    "share_per_class",
    "tug_of_war",
    "unlearning_accuracy",
    "versions",
]
