"""The search: Optuna proposes each method's settings, warm workers try them, the store keeps the results.

On Ray it is run by `tune`, a module that only runs on Ray import: Ray Tune brings pandas, and takes a second to import.
"""

from typing import TYPE_CHECKING

from lethe.lazy import loading

if TYPE_CHECKING:
    from lethe.search._epoch_report import Report
    from lethe.search._export import Exported, export
    from lethe.search._here import run_here
    from lethe.search._journal import Journal
    from lethe.search._optuna import Proposal
    from lethe.search._priors import unrecorded, with_priors
    from lethe.search._study_search import StudySearch
    from lethe.search._worker import TrialTask, TrialWorker
else:
    # A worker on Ray imports its own module alone, and needs neither Optuna nor the results.
    __getattr__, __dir__ = loading(
        __name__,
        globals(),
        {
            "lethe.search._epoch_report": ("Report",),
            "lethe.search._export": ("Exported", "export"),
            "lethe.search._here": ("run_here",),
            "lethe.search._journal": ("Journal",),
            "lethe.search._optuna": ("Proposal",),
            "lethe.search._priors": ("unrecorded", "with_priors"),
            "lethe.search._study_search": ("StudySearch",),
            "lethe.search._worker": ("TrialTask", "TrialWorker"),
        },
    )

__all__ = [
    "Exported",
    "Journal",
    "Proposal",
    "Report",
    "StudySearch",
    "TrialTask",
    "TrialWorker",
    "export",
    "run_here",
    "unrecorded",
    "with_priors",
]
