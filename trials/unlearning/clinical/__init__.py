"""What a clinic sees of a classifier: pure functions of its decisions and logits, one idea a file.

Nothing here knows of unlearning; `unlearning.audits` compares a model with its original and its oracle by them.
"""

from unlearning.clinical.areas import class_placements, macro_area
from unlearning.clinical.calibration import brier_score, fit_temperature, log_loss
from unlearning.clinical.cost import normalised_cost
from unlearning.clinical.differences import PairedCounts
from unlearning.clinical.flips import flips, missed
from unlearning.clinical.groups import by_text, positions, problem_with, thirds
from unlearning.clinical.intervals import Proportion
from unlearning.clinical.sampling import FEWEST_PATIENTS, ImageSampling, Interval, PatientSampling
from unlearning.clinical.thresholds import log_odds, point_reaching, youden_point

__all__ = [
    "FEWEST_PATIENTS",
    "ImageSampling",
    "Interval",
    "PairedCounts",
    "PatientSampling",
    "Proportion",
    "brier_score",
    "by_text",
    "class_placements",
    "fit_temperature",
    "flips",
    "log_loss",
    "log_odds",
    "macro_area",
    "missed",
    "normalised_cost",
    "point_reaching",
    "positions",
    "problem_with",
    "thirds",
    "youden_point",
]
