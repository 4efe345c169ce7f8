"""Metrics: what is measured of a model, each with its version, its meaning and how it is computed.

`BUILT_IN` is what is measured of every confirmed model; a built-in metric is one file with one `Metric`, and an entry
in that table. `METRICS` is the family of all: a study names those that come from elsewhere to have them measured too.
"""

from typing import Final

from unlearning.metrics._auc import auc
from unlearning.metrics._base import Direction, Measure, Metric, Value, by_class
from unlearning.metrics._evaluation import Evaluation, Group, Split
from unlearning.metrics._family import BUILT_IN, METRICS, MetricFamily
from unlearning.metrics._gap import average_gap
from unlearning.metrics._measure import MetricError, fault_of, measures_of
from unlearning.metrics._predictions import DivergedError, Predictions
from unlearning.metrics._tow import tug_of_war
from unlearning.metrics.accuracy import (
    accuracy,
    per_class_recall,
    per_class_unlearning_accuracy,
    share_per_class,
    unlearning_accuracy,
)
from unlearning.metrics.membership import (
    FEATURES,
    AttackClasses,
    Feature,
    attack_accuracy,
    called_nonmember,
    draw_matched,
    draw_members,
    membership_scores,
)

SEARCH_METRICS: Final = tuple(name for name, metric in BUILT_IN.items() if metric.in_objective)
"""What a search may look at: no metric of the test split, and the attack's non-members come from val."""

REPORT_METRICS: Final = tuple(name for name, metric in BUILT_IN.items() if metric.in_gap)
"""What "Avg. Gap" means in the literature's tables."""


def versions() -> dict[str, int]:
    """Return the version of each built-in metric, by name."""
    return {name: metric.version for name, metric in BUILT_IN.items()}


__all__ = [
    "BUILT_IN",
    "FEATURES",
    "METRICS",
    "REPORT_METRICS",
    "SEARCH_METRICS",
    "AttackClasses",
    "Direction",
    "DivergedError",
    "Evaluation",
    "Feature",
    "Group",
    "Measure",
    "Metric",
    "MetricError",
    "MetricFamily",
    "Predictions",
    "Split",
    "Value",
    "accuracy",
    "attack_accuracy",
    "auc",
    "average_gap",
    "by_class",
    "called_nonmember",
    "draw_matched",
    "draw_members",
    "fault_of",
    "measures_of",
    "membership_scores",
    "per_class_recall",
    "per_class_unlearning_accuracy",
    "share_per_class",
    "tug_of_war",
    "unlearning_accuracy",
    "versions",
]
