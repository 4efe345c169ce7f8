"""A search in this process, without Ray."""

from collections.abc import Callable

from lethe.execution.stop import Stop
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
