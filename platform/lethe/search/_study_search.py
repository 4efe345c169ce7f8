"""The search of a whole study: proposes the trials of all method searches in turn, and keeps what becomes of them.

It knows neither Ray nor workers: whoever runs trials asks `StudySearch.next_proposal` and reports how they go.
"""

import math
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence

from lethe.execution.failures import Failure
from lethe.results import EpochRow, Store, TrialRow, to_rows
from lethe.results.columns import setting_of
from lethe.results.objectives import objectives_of, point_of
from lethe.results.race import Standing, round_of, standing_of
from lethe.search._epoch_report import Report, Status
from lethe.search._journal import Journal
from lethe.search._optuna import OptunaSearch, Outcome, Proposal
from lethe.search._rows import epoch_rows, repeated_row, trial_row
from lethe.search._space import Setting
from lethe.study import MethodSearch

TrialKey = tuple[str, int, int]
"""A method search's fingerprint, a setting's number in it, and the round of the race."""


class StudySearch:
    """The searches of a study's method searches, continued from the rows that the store holds.

    One thread runs the search. Any other may call `open_search` and `give_up` meanwhile.

    Args:
        method_searches: those to search; trials of one are proposed once `open_search` was called for it.

    Attributes:
        began: when the first trial of this run began, on this process's monotonic clock; None before its first report.
    """

    def __init__(self, method_searches: Sequence[MethodSearch], store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal
        self._rows, self._epochs = _known(store, method_searches)
        self._failed = 0
        self._best: dict[str, TrialRow] = {}
        for row in self._rows.values():
            self._count(row)
        self._searches = self._continue(method_searches)
        self._standings: dict[str, Standing] = {}
        """How far each method search is, for as long as no trial of it ends."""
        self._raced: set[TrialKey] = set()
        """The runs of the race that were proposed."""
        self._turns: deque[str] = deque()
        self._again: deque[Proposal] = deque()
        self._losses: defaultdict[TrialKey, Counter[Failure]] = defaultdict(Counter)
        self._given_up: set[str] = set()
        self._lock = threading.RLock()
        """Held by whoever reads or changes `_turns` and `_given_up`, which two threads do."""
        self._reports: dict[TrialKey, dict[int, Report]] = {}
        self._repeats: defaultdict[TrialKey, list[Proposal]] = defaultdict(list)
        self.began: float | None = None

    @property
    def method_searches(self) -> list[MethodSearch]:
        """The method searches that are searched."""
        return [search.method_search for search in self._searches.values()]

    @property
    def finished(self) -> bool:
        """Whether every method search has ended or was given up."""
        with self._lock:
            return all(name in self._given_up or self._has_ended(name) for name in self._searches)

    @property
    def planned(self) -> int:
        """The number of trials of all method searches that are not given up, those of the race as far as is known."""
        with self._lock:
            kept = [self._standing(name) for name in self._searches if name not in self._given_up]
        return sum(len(standing.rows) + standing.left for standing in kept)

    @property
    def rows(self) -> list[TrialRow]:
        """The trials that have ended, in this run or an earlier one."""
        return list(self._rows.values())

    @property
    def running(self) -> int:
        """The number of trials that have reported and not ended."""
        return len(self._reports)

    @property
    def ended(self) -> int:
        """The number of trials that have ended and count, in this run or an earlier one."""
        return sum(len(self._standing(name).rows) for name in self._searches)

    @property
    def failed(self) -> int:
        """The number of those that failed or diverged."""
        return self._failed

    @property
    def best(self) -> list[TrialRow]:
        """The finished trial of the smallest gap on the first tuning seeds, then of the smallest number, of each
        scenario that has one."""
        return list(self._best.values())

    def open_search(self, method_search: MethodSearch) -> None:
        """Propose trials of this method search from now on: its artifacts exist."""
        with self._lock:
            if method_search.fingerprint not in self._turns:
                self._turns.append(method_search.fingerprint)

    def give_up(self, method_search: MethodSearch) -> None:
        """Wait no longer for this method search: its artifacts cannot be made."""
        with self._lock:
            self._given_up.add(method_search.fingerprint)

    def next_proposal(self) -> Proposal | None:
        """Return the next trial to run; None if none is due now.

        Method searches take turns; what lost its worker goes first.
        """
        if self._again:
            return self._again.popleft()
        with self._lock:
            opened = len(self._turns)
        for _ in range(opened):
            search = self._next_search()
            while (proposal := search.propose() or self._propose_race(search.method_search)) is not None:
                if proposal.repeats is None:
                    return proposal
                self._repeat(proposal)
        if self.finished:
            self._journal.upload()
        return None

    def report(self, proposal: Proposal, report: Report) -> None:
        """Take a worker's report of an epoch; the last report ends the trial."""
        if self.began is None:
            self.began = time.monotonic() - (report.ended_at - report.started_at).total_seconds()
        reports = self._reports.setdefault(_key(proposal), {})
        if report.epoch <= 1:
            reports.clear()
        if report.status == "failed":
            self.end(proposal, "failed", report.error, report.cause)
            return
        reports[report.epoch] = report
        if report.status != "running":
            self.end(proposal, report.status, report.error)

    def requeue(self, proposal: Proposal) -> None:
        """Take a trial back that did not end: what it reported is forgotten, and it is proposed next."""
        self._reports.pop(_key(proposal), None)
        self._again.append(proposal)

    def losses_of(self, proposal: Proposal) -> Counter[Failure]:
        """Return how often a trial that has not ended lost its worker, and why; the caller counts there."""
        return self._losses[_key(proposal)]

    def end(self, proposal: Proposal, status: Status, error: str | None = None, cause: Failure | None = None) -> None:
        """End a trial with what it has reported; called from outside where it was stopped early or is given up."""
        reports = self._reports.pop(_key(proposal), {})
        ordered = [reports[epoch] for epoch in sorted(reports)]
        losses = self._losses.pop(_key(proposal), Counter()).total()
        row = trial_row(proposal, ordered, status, error, cause, losses)
        self._keep(proposal, row, epoch_rows(row, ordered))
        for repeat in self._repeats.pop(_key(proposal), []):
            self._repeat(repeat)

    def _propose_race(self, method_search: MethodSearch) -> Proposal | None:
        """Return a run of the race that is due and was not proposed; None if there is none."""
        for number, round in self._standing(method_search.fingerprint).due:
            key = (method_search.fingerprint, number, round)
            if key not in self._raced:
                self._raced.add(key)
                setting = setting_of(self._rows[method_search.fingerprint, number, 0], method_search)
                return Proposal(method_search, number, setting, "race", round=round)
        return None

    def _has_ended(self, name: str) -> bool:
        """Return whether a search and its race have ended, and the journal has been given all trials."""
        return self._searches[name].finished and self._standing(name).ended

    def _standing(self, name: str) -> Standing:
        if name not in self._standings:
            own = [row for (of, _, _), row in self._rows.items() if of == name]
            self._standings[name] = standing_of(self._searches[name].method_search, own)
        return self._standings[name]

    def _next_search(self) -> OptunaSearch:
        with self._lock:
            self._turns.rotate(-1)
            return self._searches[self._turns[-1]]

    def _repeat(self, proposal: Proposal) -> None:
        """Answer a repeated setting from the trial that had it first, once that has ended."""
        first = (proposal.method_search.fingerprint, proposal.repeats or 0, 0)
        if first in self._rows:
            self._keep(proposal, *repeated_row(proposal, self._rows[first], self._epochs[first]))
        else:
            self._repeats[first].append(proposal)

    def _keep(self, proposal: Proposal, row: TrialRow, epochs: list[EpochRow]) -> None:
        self._store.append_trial(row, epochs)
        self._rows[_key(proposal)], self._epochs[_key(proposal)] = row, epochs
        self._count(row)
        self._standings.pop(row.method_search, None)
        if not proposal.round:
            self._searches[row.method_search].settle(proposal.number, _outcome(row, epochs))
        if self.finished:
            self._journal.upload()

    def _count(self, row: TrialRow) -> None:
        """Update the totals."""
        self._failed += row.status in ("failed", "diverged")
        of_round_0 = row.status == "done" and row.gap is not None and not row.round
        if of_round_0 and (row.scenario not in self._best or _rank(row) < _rank(self._best[row.scenario])):
            self._best[row.scenario] = row

    def _continue(self, method_searches: Sequence[MethodSearch]) -> dict[str, OptunaSearch]:
        by_name = {method_search.fingerprint: method_search for method_search in method_searches}
        known: dict[str, dict[int, tuple[Setting, Outcome]]] = {name: {} for name in by_name}
        for key, row in self._rows.items():
            name, number, round = key
            if not round:
                known[name][number] = setting_of(row, by_name[name]), _outcome(row, self._epochs[key])
        return {
            name: OptunaSearch(method_search, known[name], self._journal.recorder(method_search))
            for name, method_search in by_name.items()
        }


def _key(proposal: Proposal) -> TrialKey:
    return proposal.method_search.fingerprint, proposal.number, proposal.round


def _rank(row: TrialRow) -> tuple[float, int]:
    return (math.inf if row.gap is None else row.gap), row.number


def _outcome(row: TrialRow, epochs: Sequence[EpochRow]) -> Outcome:
    gaps = tuple(epoch.gap for epoch in epochs)
    return Outcome(row.status, gaps, row.seconds_total, point_of(row, objectives_of(row)))


def _known(
    store: Store, method_searches: Sequence[MethodSearch]
) -> tuple[dict[TrialKey, TrialRow], dict[TrialKey, list[EpochRow]]]:
    """Read the trials of an earlier run that ended and are not tried again, with their epochs in order."""
    wanted = {method_search.fingerprint: method_search for method_search in method_searches}
    study = method_searches[0].study.name
    keys: dict[str, TrialKey] = {}
    trials: list[TrialRow] = []
    for row in to_rows(store.read("trials", study), TrialRow):
        round = round_of(row, wanted[row.method_search]) if row.method_search in wanted else None
        if round is not None and row.final:
            keys[row.trial_id] = row.method_search, row.number, round
            trials.append(row)
    epochs: dict[TrialKey, list[EpochRow]] = {key: [] for key in keys.values()}
    for epoch in sorted(to_rows(store.read("epochs", study), EpochRow), key=lambda epoch: epoch.epoch):
        if epoch.trial_id in keys:
            epochs[keys[epoch.trial_id]].append(epoch)
    return {keys[row.trial_id]: row for row in trials}, epochs
