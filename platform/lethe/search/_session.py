"""A study's search as seen by whoever schedules its trials: what is proposed, what became of it, how many may run.

A scheduler (Ray Tune, see `tune`) asks for trials under names of its own and reports by them. Nothing here knows it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from lethe.execution.supervision import Supervisor
from lethe.search._epoch_report import Report
from lethe.search._optuna import Proposal
from lethe.search._study_search import StudySearch
from lethe.study import Resources

IDLE_S: Final = 5.0
"""After this long with nothing to propose and nothing running a round ends, so that idle workers free their slots."""

START_WORKER: Final = "start a worker"
"""Answered to a scheduler that should start another worker rather than run a trial."""


class SearchSession:
    """The search of a study, in rounds; in one round all workers have the same resources.

    A trial is proposed only to a worker that is there. So the session also says when to start a worker, and counts
    those that are there.

    Args:
        capacity: returns how many workers of these resources there may be at the moment.
        spare_workers: how many workers the scheduler keeps that have no trial.
        show: called whenever something was reported.

    Attributes:
        resources: of a worker of this round.
        error: what ends the whole search: raised once the scheduler has returned, which would end with one of its own.
    """

    def __init__(
        self,
        search: StudySearch,
        supervisor: Supervisor,
        capacity: Callable[[Resources], int],
        spare_workers: int,
        show: Callable[[], None],
    ) -> None:
        self.search = search
        self.supervisor = supervisor
        self.error: Exception | None = None
        self._capacity = capacity
        self._spare_workers = spare_workers
        self._show = show
        self._next: Proposal | None = None
        self._begin_round()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to begin, and what runs is to end with its epoch."""
        return self.error is not None or self.supervisor.is_stopping

    @property
    def round_is_over(self) -> bool:
        """Whether nothing more is to begin in this round."""
        return self.is_over or self.supervisor.resources != self.resources or self.search.finished

    @property
    def is_idle(self) -> bool:
        """Whether nothing has run in this round for `IDLE_S` seconds."""
        return not (self._proposals or self._starting) and time.monotonic() - self._idle_since >= IDLE_S

    def has_next(self) -> bool:
        """Return whether a trial can be proposed now."""
        if self._next is None:
            self._next = self.search.next_proposal()
        return self._next is not None

    @contextmanager
    def round(self) -> Iterator[None]:
        """Begin a round; trials that have not ended at its end are taken back."""
        self._begin_round()
        yield
        for name in list(self._proposals):
            self._requeue(name)

    def next_trial(self, name: str) -> Proposal | Literal["start a worker"] | None:
        """Return what the scheduler should do next, under a name of its own.

        Returns:
            A trial if a worker is free, else `START_WORKER` if there is room for one; None: neither, ask again later.
        """
        with self._keeping_errors():
            if self.round_is_over:
                return None
            if len(self._proposals) < self._workers:
                return self._propose(name)
            if self._workers + len(self._starting) < self._capacity(self.resources) and self.has_next():
                self._starting.add(name)
                return START_WORKER
        return None

    def started(self, name: str, error: Exception | None) -> None:
        """Note that a worker was started, or what starting it raised."""
        with self._keeping_errors():
            self._starting.discard(name)
            self._workers += 1
            self._idle_since = time.monotonic()
            if error is None:
                self.supervisor.worker_started()
            else:
                self.supervisor.start_failed(name, error, self.resources)

    def is_starting(self, name: str) -> bool:
        """Return whether this is the start of a worker that has not ended."""
        return name in self._starting

    def report(self, name: str, report: Report | Exception) -> None:
        """Take what a worker reports of its trial; one that has ended is forgotten.

        Args:
            report: of an epoch, or an error that says nothing of the trial; that ends the search.
        """
        with self._keeping_errors():
            proposal = self._proposals.get(name)
            if proposal is None:
                return
            if isinstance(report, Exception):
                self._requeue(name)
                raise report
            if report.cause == "memory":
                losses = self.search.losses_of(proposal)
                if self.supervisor.work_lost(name, MemoryError(report.error), self.resources, losses).error is None:
                    self._requeue(name)
                    return
            self.search.report(proposal, report)
            if report.status != "running":
                self._forget(name)
            self._show()

    def stopped(self, name: str, *, by_scheduler: bool) -> None:
        """Note that a trial stopped without reporting its end: it is started again unless it was stopped early.

        Args:
            by_scheduler: whether the scheduler stopped it after a report, since others are better.
        """
        with self._keeping_errors():
            if name in self._proposals:
                if by_scheduler and not self.is_over:
                    self.search.end(self._forget(name), "stopped")
                else:
                    self._requeue(name)

    def lost(self, name: str, error: Exception | None) -> None:
        """Note that the worker of a trial, or one that was being started, died of this error."""
        with self._keeping_errors():
            if name in self._starting:
                self._starting.remove(name)
                self._idle_since = time.monotonic()
                self.supervisor.start_failed(name, error, self.resources)
            elif proposal := self._proposals.get(name):
                self._workers -= 1
                loss = self.supervisor.work_lost(name, error, self.resources, self.search.losses_of(proposal))
                if loss.error is None:
                    self._requeue(name)
                else:
                    self.search.end(self._forget(name), "failed", str(loss.error), loss.failure)
                self._show()

    def _begin_round(self) -> None:
        self.resources = self.supervisor.resources
        self._proposals: dict[str, Proposal] = {}
        self._starting: set[str] = set()
        self._workers = 0
        """The workers that are there: those with a trial and, as far as is known, those without."""
        self._idle_since = time.monotonic()

    def _propose(self, name: str) -> Proposal | None:
        proposal, self._next = self._next or self.search.next_proposal(), None
        if proposal is not None:
            self._proposals[name] = proposal
        else:
            self._workers = min(self._workers, len(self._proposals) + self._spare_workers)
        return proposal

    def _requeue(self, name: str) -> None:
        self.search.requeue(self._forget(name))

    def _forget(self, name: str) -> Proposal:
        self._idle_since = time.monotonic()
        return self._proposals.pop(name)

    @contextmanager
    def _keeping_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = self.error or error
