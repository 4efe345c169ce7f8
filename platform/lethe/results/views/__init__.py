"""The views: what people ask of the tables, as named SQL whose every column is documented."""

from typing import Final

from lethe.results.views._augmentation import AUGMENTATION, AugmentationRow
from lethe.results.views._base import View
from lethe.results.views._best import BEST, BestRow
from lethe.results.views._confirmed import CONFIRMED
from lethe.results.views._cost import COST, CostRow
from lethe.results.views._failures import FAILURES, FailureRow
from lethe.results.views._leaderboard import CONTRASTS, LEADERBOARD, ContrastRow, LeaderboardRow
from lethe.results.views._search_quality import SEARCH_QUALITY, SearchQualityRow
from lethe.results.views._sensitivity import SENSITIVITY, SensitivityRow

VIEWS: Final[dict[str, View]] = {
    "leaderboard": LEADERBOARD,
    "contrasts": CONTRASTS,
    "best": BEST,
    "augmentation": AUGMENTATION,
    "cost": COST,
    "search_quality": SEARCH_QUALITY,
    "sensitivity": SENSITIVITY,
    "failures": FAILURES,
    "confirmed": CONFIRMED,
}

__all__ = [
    "VIEWS",
    "AugmentationRow",
    "BestRow",
    "ContrastRow",
    "CostRow",
    "FailureRow",
    "LeaderboardRow",
    "SearchQualityRow",
    "SensitivityRow",
    "View",
]
