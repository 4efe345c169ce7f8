"""Lethe finds out which unlearning setting makes a classifier forget, how close to retraining, and at what cost.

    import lethe

    finished = lethe.run("study.yaml")
    finished.leaderboard().to_pandas()
    lethe.query("select row, gap, verdict from leaderboard", "results")

Importing the package is cheap: torch, Ray and the rest are loaded by the first name that needs them, after Ray's
settings are in the environment (see `lethe.execution.ray_settings`).
"""

from typing import TYPE_CHECKING

from lethe.errors import LetheError
from lethe.execution import ray_settings
from lethe.lazy import loading

if TYPE_CHECKING:
    from lethe.delivery import Delivery
    from lethe.delivery.api import deliver, forget
    from lethe.pipeline.api import FinishedStudy, PlannedStudy, plan, run
    from lethe.results import load, query
else:
    __getattr__, __dir__ = loading(
        __name__,
        globals(),
        {
            "lethe.delivery": ("Delivery",),
            "lethe.delivery.api": ("deliver", "forget"),
            "lethe.pipeline.api": ("FinishedStudy", "PlannedStudy", "plan", "run"),
            "lethe.results": ("load", "query"),
        },
    )

__all__ = [
    "Delivery",
    "FinishedStudy",
    "LetheError",
    "PlannedStudy",
    "deliver",
    "forget",
    "load",
    "plan",
    "query",
    "run",
]

ray_settings.prepare()
