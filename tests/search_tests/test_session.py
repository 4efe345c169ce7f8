"""A search as a scheduler of trials sees it: what it is given to do, and what becomes of what it reports."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from lethe.execution.stop import Stop
from lethe.execution.supervision import Supervisor, Watch
from lethe.results import Store
from lethe.results.provenance import Provenance
from lethe.search import Journal, StudySearch
from lethe.search._epoch_report import Report, Status
from lethe.search._optuna import Proposal
from lethe.search._session import START_WORKER, SearchSession
from lethe.storage.root import StorageError, StorageRoot
from lethe.study import Resources, expand, read_study
from unlearning.data import load
from unlearning.evaluation import Measures

NOW = datetime(2026, 11, 25, tzinfo=UTC)
TRIALS = 3
WORKERS = 2


class Full(Store):
    """A store on a disk that is full."""

    def append_trial(self, *rows: Any) -> None:
        raise StorageError("the disk is full")


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def begin(write_study: Callable[..., Path], store: Store, stop: Stop) -> Callable[..., SearchSession]:
    """Begins a session of a search of three trials, on a cluster of two slots of a core."""

    def session(store: Store = store) -> SearchSession:
        method = {"name": "salun", "epochs": 1, "search": {"density": {"low": 0.1, "high": 0.9}}}
        study = read_study(write_study(methods=[method], search={"trials": TRIALS, "window": 3, "sampler": "random"}))
        [method_search] = expand(study, {source: load(source) for source in study.data})
        search = StudySearch([method_search], store, Journal(store.root, study.name))
        search.open_search(method_search)
        watch = Watch(stop, 600.0, lambda text: None)
        supervisor = Supervisor(Resources(cpu=1), lambda: [{"CPU": float(WORKERS)}], watch)
        return SearchSession(search, supervisor, lambda resources: int(WORKERS // resources.cpu), 1, lambda: None)

    return session


def report(status: Status, cause: Any = None) -> Report:
    return Report(
        epoch=1,
        status=status,
        gap=0.1 if status == "done" else float("inf"),
        gap_per_seed=(),
        measures=Measures(0.2, 0.9, 0.8, 0.3) if status == "done" else None,
        loss=0.5,
        seconds_load=0.0,
        seconds_unlearn=1.0,
        seconds_evaluate=0.0,
        seconds_attack=0.0,
        started_at=NOW,
        ended_at=NOW,
        reference=None,
        provenance=Provenance(),
        error=cause and "why",
        cause=cause,
    )


def proposed(session: SearchSession, name: str) -> Proposal:
    trial = session.next_trial(name)
    assert isinstance(trial, Proposal)
    return trial


def start_worker(session: SearchSession, name: str) -> None:
    assert session.next_trial(name) == START_WORKER
    session.started(name, None)


def test_workers_are_started_up_to_the_capacity_and_a_trial_waits_for_one_that_is_there(
    begin: Callable[..., SearchSession],
) -> None:
    session = begin()
    assert [session.next_trial(name) for name in "abc"] == [START_WORKER, START_WORKER, None]
    session.started("a", None)
    first = proposed(session, "d")
    assert session.next_trial("e") is None
    session.report("d", report("done"))
    assert proposed(session, "f").number == first.number + 1
    assert session.search.ended == 1


def test_a_trial_whose_worker_died_is_proposed_again_to_another(begin: Callable[..., SearchSession]) -> None:
    session = begin()
    start_worker(session, "a")
    first = proposed(session, "b")
    session.lost("b", ActorDiedError())
    start_worker(session, "c")
    assert proposed(session, "d") is first
    session.report("d", report("done"))
    [row] = session.search.rows
    assert (row.number, row.losses, row.status) == (first.number, 1, "done")


@pytest.mark.parametrize("is_reported", [True, False])
def test_a_trial_that_needs_memory_ends_the_round_and_is_begun_again_with_more(
    begin: Callable[..., SearchSession], is_reported: bool
) -> None:
    session = begin()
    with session.round():
        start_worker(session, "a")
        first = proposed(session, "b")
        if is_reported:
            session.report("b", report("failed", "memory"))
        else:
            session.lost("b", MemoryError())
        assert session.round_is_over and not session.is_over
        assert session.next_trial("c") is None
    with session.round():
        assert session.resources == Resources(cpu=2)
        start_worker(session, "d")
        assert proposed(session, "e") is first


def test_a_trial_that_no_worker_has_memory_for_has_failed(begin: Callable[..., SearchSession]) -> None:
    session = begin()
    session.supervisor.resources = session.resources = Resources(cpu=WORKERS)
    start_worker(session, "a")
    proposed(session, "b")
    session.report("b", report("failed", "memory"))
    [row] = session.search.rows
    assert (row.status, row.cause, row.losses) == ("failed", "memory", 0)


def test_a_trial_that_the_scheduler_stops_is_kept_and_one_that_a_request_to_stop_ends_is_not(
    begin: Callable[..., SearchSession], stop: Stop
) -> None:
    session = begin()
    start_worker(session, "a")
    proposed(session, "b")
    session.stopped("b", by_scheduler=True)
    assert [row.status for row in session.search.rows] == ["stopped"]
    second = proposed(session, "c")
    stop.request()
    assert session.is_over and session.round_is_over
    session.stopped("c", by_scheduler=True)
    assert session.search.ended == 1
    assert session.search.next_proposal() is second


def test_trials_that_a_round_did_not_end_are_proposed_in_the_next(begin: Callable[..., SearchSession]) -> None:
    session = begin()
    with session.round():
        start_worker(session, "a")
        first = proposed(session, "b")
    with session.round():
        start_worker(session, "c")
        assert proposed(session, "d") is first


def test_the_first_error_ends_the_session_and_is_kept(begin: Callable[..., SearchSession], tmp_path: Path) -> None:
    session = begin(Full(StorageRoot.at(tmp_path / "full")))
    start_worker(session, "a")
    proposed(session, "b")
    session.report("b", report("done"))
    session.started("c", ValueError("a later one"))
    assert session.is_over
    assert str(session.error) == "the disk is full"
    assert session.next_trial("d") is None
