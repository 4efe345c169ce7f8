"""The views: what people ask of the tables, as named SQL whose every column is documented."""

from typing import Final

from lethe.results.views._asked import ASKED
from lethe.results.views._audit_verdicts import AUDIT_VERDICTS, POWER, AuditVerdictRow
from lethe.results.views._augmentation import AUGMENTATION, AugmentationRow
from lethe.results.views._base import LEVEL, View
from lethe.results.views._break_even import BREAK_EVEN, BreakEvenRow
from lethe.results.views._budgets import BUDGETS, BudgetRow
from lethe.results.views._chosen import CHOSEN, ChosenRow
from lethe.results.views._clinical import CLINICAL, CLINICAL_PREFIX, ClinicalRow
from lethe.results.views._confirmed import COMPARED, CONFIRMED
from lethe.results.views._contrasts import CONTRASTS, ContrastRow
from lethe.results.views._cost import COST, CostRow
from lethe.results.views._detections import DETECTIONS, DetectionRow
from lethe.results.views._deviations import DEVIATIONS, DeviationRow
from lethe.results.views._drift import AT_ONCE, DRIFT, DriftRow
from lethe.results.views._ensembles import ENSEMBLES, EnsembleRow
from lethe.results.views._failures import FAILURES, FailureRow
from lethe.results.views._front import FRONT, FrontRow
from lethe.results.views._halves import HALVES, HalvesRow
from lethe.results.views._joint_tests import JOINT_TESTS, JointTestRow
from lethe.results.views._leaderboard import LEADERBOARD, LeaderboardRow
from lethe.results.views._mean_ranks import MEAN_RANKS, MeanRankRow
from lethe.results.views._measures import MEASURES
from lethe.results.views._metric_summary import METRIC_SUMMARY, MetricSummaryRow
from lethe.results.views._optimism import OPTIMISM, OptimismRow
from lethe.results.views._packings import PACKINGS
from lethe.results.views._ranks import RANKS, RankRow
from lethe.results.views._search_quality import SEARCH_QUALITY, SearchQualityRow
from lethe.results.views._sensitivity import SENSITIVITY, SensitivityRow
from lethe.results.views._tried_settings import TRIED_SETTINGS, TriedSettingRow

VIEWS: Final[dict[str, View]] = {
    "leaderboard": LEADERBOARD,
    "contrasts": CONTRASTS,
    "ranks": RANKS,
    "mean_ranks": MEAN_RANKS,
    "deviations": DEVIATIONS,
    "joint_tests": JOINT_TESTS,
    "drift": DRIFT,
    "metric_summary": METRIC_SUMMARY,
    "audit_verdicts": AUDIT_VERDICTS,
    "detections": DETECTIONS,
    "ensembles": ENSEMBLES,
    "halves": HALVES,
    "clinical": CLINICAL,
    "chosen": CHOSEN,
    "optimism": OPTIMISM,
    "budgets": BUDGETS,
    "break_even": BREAK_EVEN,
    "front": FRONT,
    "augmentation": AUGMENTATION,
    "cost": COST,
    "search_quality": SEARCH_QUALITY,
    "tried_settings": TRIED_SETTINGS,
    "sensitivity": SENSITIVITY,
    "failures": FAILURES,
    "confirmed": CONFIRMED,
    "compared": COMPARED,
    "asked": ASKED,
    "measures": MEASURES,
    "packings": PACKINGS,
}

__all__ = [
    "AT_ONCE",
    "CLINICAL_PREFIX",
    "LEVEL",
    "POWER",
    "VIEWS",
    "AuditVerdictRow",
    "AugmentationRow",
    "BreakEvenRow",
    "BudgetRow",
    "ChosenRow",
    "ClinicalRow",
    "ContrastRow",
    "CostRow",
    "DetectionRow",
    "DeviationRow",
    "DriftRow",
    "EnsembleRow",
    "FailureRow",
    "FrontRow",
    "HalvesRow",
    "JointTestRow",
    "LeaderboardRow",
    "MeanRankRow",
    "MetricSummaryRow",
    "OptimismRow",
    "RankRow",
    "SearchQualityRow",
    "SensitivityRow",
    "TriedSettingRow",
    "View",
]
