"""Lethe finds out which unlearning setting makes a classifier forget, how close to retraining, and at what cost.

    import lethe

    finished = lethe.run("study.yaml")
    finished.leaderboard().to_pandas()
    lethe.query("select row, gap, verdict from leaderboard", "results")

Importing the package is cheap: torch, Ray and the rest are loaded by the first name that needs them, after Ray's
settings are in the environment (see `lethe.execution.ray_settings`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lethe.errors import LetheError
from lethe.execution import ray_settings

if TYPE_CHECKING:
    from lethe.pipeline.api import FinishedStudy, PlannedStudy, plan, run
    from lethe.results import load, query
else:

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_MODULES[name]), name)

    def __dir__() -> list[str]:
        """List what is loaded and what would be."""
        return sorted({*globals(), *__all__})


__all__ = ["FinishedStudy", "LetheError", "PlannedStudy", "load", "plan", "query", "run"]

_MODULES = dict.fromkeys(("FinishedStudy", "PlannedStudy", "plan", "run"), "lethe.pipeline.api") | dict.fromkeys(
    ("load", "query"), "lethe.results"
)

ray_settings.prepare()
