"""The search: Optuna proposes each method's settings, warm workers try them, the store keeps the results.

On Ray it is run by `tune`, a module that only runs on Ray import: Ray Tune brings pandas, and takes a second to import.
"""

from collections.abc import Callable

from lethe.execution.stop import Stop
from lethe.search._epoch_report import Report
from lethe.search._export import Exported, export
from lethe.search._journal import Journal
from lethe.search._optuna import Proposal
from lethe.search._priors import unrecorded, with_priors
from lethe.search._study_search import StudySearch
from lethe.search._worker import TrialTask, TrialWorker


def run_here(search: StudySearch, worker: TrialWorker, stop: Stop, show: Callable[[], None]) -> None:
    """Run the trials that the study proposes in this process, one after another, until somebody asks for a stop."""
    while not stop.requested and (proposal := search.next_proposal()) is not None:
        for report in worker.run(TrialTask.of(proposal)):
            search.report(proposal, report)
            show()
            if stop.requested and report.status == "running":
                search.requeue(proposal)
                break


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
