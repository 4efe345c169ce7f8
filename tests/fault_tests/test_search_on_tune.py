"""A search on a real Ray Tune whose hand-made workers die, hang, need memory, or cannot be made at all."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from lethe.artifacts import ArtifactStore
from lethe.execution.connection import OnRay
from lethe.execution.failures import LIMITS
from lethe.execution.node_types import NodeType
from lethe.execution.stop import InterruptedStudyError, Stop
from lethe.pipeline.plan import make_plan
from lethe.results import Store, TrialRow
from lethe.results.provenance import Provenance, Stopwatch
from lethe.search import Journal, StudySearch, run_here
from lethe.search._epoch_report import Report, Status
from lethe.search._worker import TrialTask
from lethe.search.calibration import Calibrator
from lethe.search.tune import run_on_tune
from lethe.storage.root import StorageError, StorageRoot
from lethe.study import MethodSearch, Resources, expand, read_study
from unlearning.data import load
from unlearning.evaluation import Measures

EPOCHS = 2
TRIALS = 6

pytestmark = pytest.mark.usefixtures("ray_here")

Fault = Callable[[TrialTask, int], None]
Searched = Callable[..., StudySearch]


@pytest.fixture
def make_cell(write_study: Callable[..., Path]) -> Callable[[int], MethodSearch]:
    def make(trials: int) -> MethodSearch:
        method = {"name": "salun", "epochs": EPOCHS, "search": {"lr": {"low": 0.001, "high": 0.1, "log": True}}}
        study = read_study(write_study(methods=[method], search={"trials": trials, "window": 3, "sampler": "random"}))
        [method_search] = expand(study, {source: load(source) for source in study.data})
        return method_search

    return make


def making(fault: Fault) -> Callable[[], Any]:
    """Returns what makes a worker whose gaps follow from the settings, and which suffers a fault before each epoch."""

    class Worker:
        def run(self, task: TrialTask) -> Iterator[Report]:
            stopwatch = Stopwatch()
            for epoch in range(1, EPOCHS + 1):
                status: Status = "done" if epoch == EPOCHS else "running"
                values: dict[str, Any] = {"gap": task.method.lr / epoch, "gap_per_seed": (task.method.lr / epoch,)}
                try:
                    fault(task, epoch)
                except torch.OutOfMemoryError as error:
                    status, values = "failed", {"gap": float("inf"), "gap_per_seed": (), "error": str(error)}
                    values |= {"cause": "memory"}
                yield Report(
                    epoch=epoch,
                    status=status,
                    measures=Measures(0.2, 0.9, 0.8, 0.3) if status != "failed" else None,
                    loss=0.5,
                    seconds_load=0.0,
                    seconds_unlearn=0.1,
                    seconds_evaluate=0.0,
                    seconds_attack=0.0,
                    started_at=stopwatch.started_at,
                    ended_at=stopwatch.ended_at,
                    reference=None,
                    provenance=Provenance.here(torch.device("cpu"), 1.0, 0.0),
                    **values,
                )

    return Worker


def no_fault(task: TrialTask, epoch: int) -> None:
    pass


@pytest.fixture
def search(make_cell: Callable[[int], MethodSearch], witness: Callable[..., Any]) -> Searched:
    """Searches a method search from what a store holds, with workers that suffer a fault."""

    def run(
        fault: Fault,
        store: Store,
        resources: Resources | None = None,
        by: Any = None,
        make: Callable[[], Any] | None = None,
        workers: int | None = None,
        trials: int = TRIALS,
    ) -> StudySearch:
        method_search = make_cell(trials)
        begun = StudySearch([method_search], store, Journal(store.root, method_search.study.name))
        begun.open_search(method_search)
        by = by or witness()
        run_on_tune(
            method_search.study,
            begun,
            make or making(fault),
            OnRay(workers),
            resources or Resources(cpu=1),
            by.watch,
            lambda: None,
        )
        return begun

    return run


@pytest.fixture
def search_here(make_cell: Callable[[int], MethodSearch]) -> Callable[[Store], StudySearch]:
    """Searches from what a store holds, without Tune and without faults."""

    def run(store: Store) -> StudySearch:
        method_search = make_cell(TRIALS)
        begun = StudySearch([method_search], store, Journal(store.root, method_search.study.name))
        begun.open_search(method_search)
        run_here(begun, making(no_fault)(), Stop(), lambda: None)
        return begun

    return run


@pytest.fixture
def undisturbed(search_here: Callable[[Store], StudySearch], tmp_path: Path) -> StudySearch:
    return search_here(Store(StorageRoot.at(tmp_path / "undisturbed")))


def numbers(search: StudySearch) -> list[tuple[Any, ...]]:
    rows = sorted(search.rows, key=lambda row: row.number)
    assert [row.number for row in rows] == list(range(TRIALS))
    return [(row.lr, row.gap, row.status, row.epochs_done) for row in rows]


def numbered(search: StudySearch) -> dict[int, TrialRow]:
    return {row.number: row for row in search.rows}


def first_time(folder: Path, name: object) -> bool:
    try:
        (folder / str(name)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def test_workers_that_die_or_freeze_at_any_moment_change_no_number(
    search: Searched, store: Store, undisturbed: StudySearch, witness: Callable[..., Any], tmp_path: Path
) -> None:
    """The third trial kills its worker, the fourth freezes it; the fifth's freezes once it has been handed back."""

    def fault(task: TrialTask, epoch: int) -> None:
        if epoch == 1 and first_time(tmp_path, f"{task.method.lr}-begun"):
            place = next(number for number in count() if first_time(tmp_path, f"place-{number}"))
            (tmp_path / f"{task.method.lr}-is-{place}").touch()
        if epoch == EPOCHS and (tmp_path / f"{task.method.lr}-is-2").exists() and first_time(tmp_path, "killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if epoch == EPOCHS and (tmp_path / f"{task.method.lr}-is-3").exists() and first_time(tmp_path, "frozen"):
            os.kill(os.getpid(), signal.SIGSTOP)
        if epoch == EPOCHS and (tmp_path / f"{task.method.lr}-is-4").exists() and first_time(tmp_path, "later"):
            threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGSTOP)).start()

    by = witness(hung_after_s=5.0)
    disturbed = search(fault, store, by=by)
    assert {path.name for path in tmp_path.glob("*e*")} >= {"killed", "frozen", "later"}
    assert numbers(disturbed) == numbers(undisturbed)
    assert sum(row.losses or 0 for row in disturbed.rows) >= 2
    assert by.said_of("made no progress for 5 s")


def test_a_dead_worker_is_replaced_although_trials_are_shorter_than_the_start_of_a_worker(
    search: Searched, store: Store, witness: Callable[..., Any], tmp_path: Path
) -> None:
    """The first worker dies in its first trial; the search is stopped when two others have ended trials."""
    by = witness()

    def fault(task: TrialTask, epoch: int) -> None:
        if first_time(tmp_path, "killed"):
            os._exit(1)
        time.sleep(0.1)
        (tmp_path / f"worker-{os.getpid()}").touch()
        if len(list(tmp_path.glob("worker-*"))) > 1:
            (tmp_path / "both").touch()

    def watch() -> None:
        while not ((tmp_path / "both").exists() or over.is_set()):
            time.sleep(0.01)
        by.stop.request()

    over = threading.Event()
    watching = threading.Thread(target=watch)
    watching.start()
    search(fault, store, by=by, trials=400)
    over.set()
    watching.join()
    assert (tmp_path / "both").exists()


def test_a_trial_that_loses_every_worker_fails_and_the_next_run_tries_it_again(
    search: Searched,
    search_here: Callable[[Store], StudySearch],
    store: Store,
    undisturbed: StudySearch,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(LIMITS, "worker", 2)
    (tmp_path / "faults").mkdir()

    def fault(task: TrialTask, epoch: int) -> None:
        if first_time(tmp_path / "faults", "chosen"):
            (tmp_path / "faults" / str(task.method.lr)).touch()
        if (tmp_path / "faults" / str(task.method.lr)).exists():
            os._exit(1)

    failed = [row for row in search(fault, store, workers=1).rows if row.status == "failed"]
    assert [(row.cause, row.losses, row.final) for row in failed] == [("worker", 2, False)]
    assert failed[0].error is not None
    assert "lost its worker process 2 times" in failed[0].error
    again = search_here(store)
    assert numbers(again)[failed[0].number] == numbers(undisturbed)[failed[0].number]
    assert all(row.status == "done" for row in again.rows)


def test_trials_that_run_out_of_a_simulated_gpu_go_on_with_fewer_workers_of_more_room(
    search: Searched, store: Store, undisturbed: StudySearch, witness: Callable[..., Any]
) -> None:
    def fault(task: TrialTask, epoch: int) -> None:
        if epoch == EPOCHS and share_here() < 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    by = witness()
    squeezed = search(fault, store, Resources(cpu=0.25, gpu=0.5), by)
    assert by.said == [
        "Out of memory in a worker of 0.25 CPU and 0.5 GPU: going on with fewer workers, of 0.25 CPU and 1 GPU each."
    ]
    assert numbers(squeezed) == numbers(undisturbed)
    assert any(row.losses for row in squeezed.rows)


def test_a_trial_that_no_device_holds_fails_for_memory_and_the_next_run_tries_it_again(
    search: Searched, search_here: Callable[[Store], StudySearch], store: Store, tmp_path: Path
) -> None:
    def fault(task: TrialTask, epoch: int) -> None:
        if first_time(tmp_path, "chosen"):
            (tmp_path / str(task.method.lr)).touch()
        if (tmp_path / str(task.method.lr)).exists():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 200.00 GiB.")

    rows = search(fault, store, Resources(cpu=0.25, gpu=1)).rows
    [failed] = [row for row in rows if row.status == "failed"]
    assert (failed.cause, failed.final) == ("memory", False)
    assert len(rows) == TRIALS
    assert all(row.status == "done" for row in search_here(store).rows)


def test_what_making_a_worker_raises_ends_the_run_with_that_very_error(search: Searched, store: Store) -> None:
    def make() -> Any:
        raise StorageError("the pool is gone")

    with pytest.raises(StorageError, match="the pool is gone"):
        search(no_fault, store, make=make, workers=1)


def test_what_keeping_a_trial_raises_ends_the_run_with_that_very_error(search: Searched, tmp_path: Path) -> None:
    class Full(Store):
        """A store on a disk that is full."""

        def append_trial(self, *rows: Any) -> None:
            raise StorageError("the disk is full")

    with pytest.raises(StorageError, match="the disk is full"):
        search(no_fault, Full(StorageRoot.at(tmp_path / "full")), workers=1)


def test_a_request_to_stop_ends_no_trial_and_waits_for_no_worker_that_does_not_come(
    search: Searched,
    search_here: Callable[[Store], StudySearch],
    store: Store,
    undisturbed: StudySearch,
    witness: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Two epochs run when the request comes, and two more trials wait for resources that there are not."""

    def fault(task: TrialTask, epoch: int) -> None:
        (tmp_path / f"{task.method.lr}-begins-{epoch}").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        (tmp_path / f"{task.method.lr}-ends-{epoch}").touch()

    by = witness()

    def ask() -> None:
        while len(list(tmp_path.glob("*-begins-1"))) < 2:
            time.sleep(0.01)
        by.stop.request()
        (tmp_path / "go").touch()

    asking = threading.Thread(target=ask)
    asking.start()
    stopped = search(fault, store, by=by, workers=4)
    asking.join()
    assert stopped.rows == []
    assert len(list(tmp_path.glob("*-ends-1"))) == len(list(tmp_path.glob("*-begins-1")))
    assert not list(tmp_path.glob("*-begins-2"))
    assert numbers(search_here(store)) == numbers(undisturbed)


def test_a_request_to_stop_ends_the_wait_for_a_whole_device_and_its_reason_is_kept(
    write_study: Callable[..., Path], store: Store, witness: Callable[..., Any]
) -> None:
    by = witness()
    plan = make_plan(read_study(write_study(resources={"trial": "auto"})), ArtifactStore(store.root), store)
    search = StudySearch(plan.method_searches, store, Journal(store.root, "tiny"))
    search.open_search(plan.method_searches[0])
    proposal = search.next_proposal()
    assert proposal is not None

    def unused(resources: Resources) -> Any:
        raise AssertionError(f"nothing is to be measured, with {resources}")

    calibrator = Calibrator(plan.method_searches, store, unused, by.watch)
    by.stop.request("The study's lock was removed.")
    with pytest.raises(InterruptedStudyError, match="The study's lock was removed"):
        calibrator.measure(proposal, [NodeType("", cpus=64.0, gpus=0.0, memory_bytes=1 << 30, count=1)])


def share_here() -> float:
    share: float = ray.get_runtime_context().get_assigned_resources()["GPU"]
    return share
