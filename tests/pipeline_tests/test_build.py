"""What a study's artifacts are built by: what fails costs little, and the thread beside a search ends with it."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from steps import result_of

from lethe.artifacts import ArtifactStore, ArtifactWorker, BuildJob
from lethe.execution.claims import LocalClaims
from lethe.execution.shared_data import SharedData
from lethe.execution.stop import Stop
from lethe.execution.worker_pool import Done, WorkerPool
from lethe.pipeline.build import ArtifactBuilder
from lethe.pipeline.plan import make_plan
from lethe.pipeline.progress import Progress
from lethe.results import Store
from lethe.search import Journal, StudySearch
from lethe.storage.root import StorageError
from lethe.study import Resources, read_study


class Trainers(WorkerPool):
    """Works until it is asked to stop, and then raises what it is given."""

    def __init__(self, stop: Stop, error: Exception | None = None) -> None:
        self.has_ended = False
        self._stop = stop
        self._error = error

    def do(self, jobs: Iterable[Any]) -> Iterator[Done[Any, Any]]:
        while not self._stop.requested:
            time.sleep(0.01)
        self.has_ended = True
        if self._error is not None:
            raise self._error
        yield from ()


class MakesTheFirst(WorkerPool):
    """Makes the first artifact of each job, and fails at the next."""

    def __init__(self, worker: ArtifactWorker) -> None:
        self._worker = worker

    def do(self, jobs: Iterable[Any]) -> Iterator[Done[Any, Any]]:
        for job in jobs:
            built = result_of(self._worker(BuildJob(job.needed[:1])))
            yield Done(job, None, RuntimeError("it broke")) if job.needed[1:] else Done(job, built, None)


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def builder(write_study: Callable[..., Path], store: Store, problems: list[str]) -> ArtifactBuilder:
    study = read_study(write_study())
    plan = make_plan(study, ArtifactStore(store.root), store)
    search = StudySearch(plan.method_searches, store, Journal(store.root, study.name))
    return ArtifactBuilder(
        plan, ArtifactStore(store.root), store, search, Progress(Console(quiet=True)), problems.append
    )


def test_what_a_job_made_before_it_failed_is_there_and_costs_no_other_search(
    write_study: Callable[..., Path], store: Store, problems: list[str]
) -> None:
    """An original and its saliency scores are one job; fine-tuning needs the original alone."""
    methods = [{"name": name, "search": {"lr": {"low": 0.001, "high": 0.1}}} for name in ("fine_tune", "salun")]
    study, artifacts = read_study(write_study(methods=methods)), ArtifactStore(store.root)
    plan = make_plan(study, artifacts, store)
    search = StudySearch(plan.method_searches, store, Journal(store.root, study.name))
    builder = ArtifactBuilder(plan, artifacts, store, search, Progress(Console(quiet=True)), problems.append)
    builder.fill(MakesTheFirst(ArtifactWorker(artifacts, SharedData(plan.shared), LocalClaims(), Resources())))
    fine_tune, salun = plan.method_searches
    title = fine_tune.scenario.title
    assert problems == [f"could not make the saliency of seed {seed} ({title}): it broke" for seed in (0, 1, 2)]
    assert (builder.can_confirm(fine_tune), builder.can_confirm(salun)) == (True, False)
    proposals = [search.next_proposal() for _ in range(3)]
    assert {one.method_search.row for one in proposals if one} == {"fine_tune"}
    assert sorted(store.read("artifacts")["kind"].to_pylist()) == ["oracle"] * 3 + ["original"] * 3


def is_filling() -> bool:
    return any(thread.name == "lethe-filling" for thread in threading.enumerate())


def test_a_search_that_raises_stops_the_filling_and_waits_for_it(builder: ArtifactBuilder, problems: list[str]) -> None:
    stop = Stop()
    trainers = Trainers(stop)
    with pytest.raises(RuntimeError, match="the search failed"), builder.beside(trainers, stop):
        raise RuntimeError("the search failed")
    assert trainers.has_ended
    assert not is_filling()
    assert problems == []


def test_what_the_filling_raises_beside_a_search_that_raises_is_not_lost(
    builder: ArtifactBuilder, problems: list[str]
) -> None:
    stop = Stop()
    trainers = Trainers(stop, StorageError("the disk is full"))
    with pytest.raises(RuntimeError, match="the search failed"), builder.beside(trainers, stop):
        raise RuntimeError("the search failed")
    assert problems == ["beside that, the artifacts could not be made: the disk is full"]
    assert not is_filling()


def test_an_interrupt_stops_the_filling_too(builder: ArtifactBuilder) -> None:
    stop = Stop()
    trainers = Trainers(stop)
    with pytest.raises(KeyboardInterrupt), builder.beside(trainers, stop):
        raise KeyboardInterrupt
    assert trainers.has_ended
    assert not is_filling()


def test_an_interrupt_of_the_wait_for_the_filling_stops_it(builder: ArtifactBuilder) -> None:
    stop = Stop()

    class Interrupting(Trainers):
        """Interrupts the thread that waits for it."""

        def do(self, jobs: Iterable[Any]) -> Iterator[Done[Any, Any]]:
            is_over.wait()
            main = threading.main_thread().ident or 0
            while sys._current_frames()[main].f_code.co_name != "wait":
                time.sleep(0.01)
            time.sleep(0.1)  # sooner it may hit the code of the lock that is waited for
            signal.pthread_kill(main, signal.SIGINT)
            yield from super().do(jobs)

    is_over = threading.Event()
    trainers = Interrupting(stop)
    with pytest.raises(KeyboardInterrupt), builder.beside(trainers, stop):
        is_over.set()
    assert trainers.has_ended
    assert not is_filling()


def test_what_the_filling_raises_ends_the_search_and_is_raised(builder: ArtifactBuilder, problems: list[str]) -> None:
    stop = Stop()
    stop.request()
    trainers = Trainers(stop, StorageError("the disk is full"))
    with pytest.raises(StorageError, match="the disk is full"), builder.beside(trainers, stop):
        while not builder._search.finished:
            time.sleep(0.01)
    assert problems == []
    assert not is_filling()
