"""Metrics: pure functions of logits and labels, and of what they gave for a model and its oracle."""

from unlearning.metrics._base import DivergedError, Predictions
from unlearning.metrics._versions import versions
from unlearning.metrics.accuracy import (
    accuracy,
    auc,
    per_class_recall,
    per_class_unlearning_accuracy,
    share_per_class,
    unlearning_accuracy,
)
from unlearning.metrics.energy import EnergyTest, energy_test
from unlearning.metrics.gap import (
    REPORT_METRICS,
    SEARCH_METRICS,
    Interval,
    average_gap,
    interval,
    noise_floor,
    tug_of_war,
)
from unlearning.metrics.membership import (
    FEATURES,
    Feature,
    attack_accuracy,
    called_nonmember,
    draw_members,
    membership_scores,
)

__all__ = [
    "FEATURES",
    "REPORT_METRICS",
    "SEARCH_METRICS",
    "DivergedError",
    "EnergyTest",
    "Feature",
    "Interval",
    "Predictions",
    "accuracy",
    "attack_accuracy",
    "auc",
    "average_gap",
    "called_nonmember",
    "draw_members",
    "energy_test",
    "interval",
    "membership_scores",
    "noise_floor",
    "per_class_recall",
    "per_class_unlearning_accuracy",
    "share_per_class",
    "tug_of_war",
    "unlearning_accuracy",
    "versions",
]
