"""A worker pool on a real Ray, of hand-made workers that die, hang, raise, need memory or are told to stop."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from lethe.execution.claims import RayClaims
from lethe.execution.connection import OnRay
from lethe.execution.failures import LIMITS, ClusterError, LostWorkError, failure_of
from lethe.execution.ray_worker_pool import RayWorkerPool
from lethe.execution.worker_pool import Done, LocalWorkerPool
from lethe.study import Resources

Work = Callable[[Any], Any]
Do = Callable[..., list[Done[Any, Any]]]

pytestmark = pytest.mark.usefixtures("ray_here")

# Else each actor imports this file for the functions that it is sent, and torch with it: seconds an actor.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def released() -> list[str]:
    return []


@pytest.fixture
def do(witness: Callable[..., Any], released: list[str]) -> Iterator[Do]:
    """Has a worker pool do jobs; each worker does them by calling a function, or by the steps that it yields."""

    def make(work: Work) -> Callable[[], Work]:
        def worker() -> Work:
            def steps(job: Any) -> Generator[None, None, Any]:
                done = work(job)
                return (yield from done) if isinstance(done, Generator) else done

            return steps

        return worker

    def do(work: Work, jobs: Any, resources: Resources | None = None, by: Any = None) -> Iterator[Done[Any, Any]]:
        watch = (by or witness()).watch
        return OnRay(None).worker_pool(make(work), resources or Resources(cpu=1), watch, released.append).do(jobs)

    yield do


def result_of(done: list[Done[Any, Any]]) -> dict[Any, Any]:
    assert all(one.error is None for one in done), [one.error for one in done]
    assert len({one.job for one in done}) == len(done), "a job was given twice"
    return {one.job: one.result for one in done}


def first_time(folder: Path, job: Any) -> bool:
    """Return whether this is the first to ask for a job."""
    try:
        (folder / str(job)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def test_a_job_whose_worker_is_killed_is_done_by_another_and_the_claims_of_the_dead_are_released(
    do: Do, released: list[str], tmp_path: Path
) -> None:
    def work(job: int) -> int:
        if job in (1, 4) and first_time(tmp_path, job):
            (tmp_path / f"dead-{ray.get_runtime_context().get_actor_id()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 10 * job

    assert result_of(list(do(work, range(6)))) == {job: 10 * job for job in range(6)}
    dead = {path.name.removeprefix("dead-") for path in tmp_path.glob("dead-*")}
    assert set(released) == dead
    assert len(dead) == 2


def test_a_job_that_kills_every_worker_is_given_up_and_the_others_are_done(
    do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(job: int) -> int:
        if job == 1:
            os._exit(1)
        return job

    monkeypatch.setitem(LIMITS, "worker", 2)
    done = {one.job: one for one in do(work, range(3))}
    assert isinstance(done[1].error, LostWorkError)
    assert "lost its worker process 2 times" in str(done[1].error)
    assert (done[0].result, done[2].result) == (0, 2)


def test_a_job_that_raises_is_reported_at_once_and_its_worker_goes_on(do: Do, tmp_path: Path) -> None:
    def work(job: int) -> int:
        if job == 0:
            assert first_time(tmp_path, job)
            raise ValueError("the job's own")
        return os.getpid()

    resources = Resources(cpu=2)
    first, second = do(work, range(2), resources)
    assert str(first.error) == "the job's own"
    assert isinstance(first.error, ValueError)
    assert failure_of(first.error) == "code"
    assert second.result


def test_what_making_a_worker_raises_is_raised(do: Do, witness: Callable[..., Any]) -> None:
    def make() -> Any:
        raise ValueError("no worker today")

    worker_pool = RayWorkerPool(make, Resources(cpu=1), lambda resources: 2, witness().watch)
    with pytest.raises(ValueError, match="no worker today"):
        list(worker_pool.do([1, 2]))


def test_workers_that_die_before_they_are_ready_end_the_run(
    witness: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> Any:
        os._exit(1)

    monkeypatch.setitem(LIMITS, "worker", 2)
    worker_pool = RayWorkerPool(make, Resources(cpu=2), lambda resources: 1, witness().watch)
    with pytest.raises(ClusterError, match="with 2 CPU and 0 GPU: it lost its worker process 2 times"):
        list(worker_pool.do([1]))


def test_workers_that_no_device_holds_end_the_run(witness: Callable[..., Any]) -> None:
    def make() -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 200.00 GiB.")

    worker_pool = RayWorkerPool(make, Resources(cpu=0.25, gpu=1), lambda resources: 1, witness().watch)
    with pytest.raises(ClusterError, match="it ran out of memory 1 time; the last time: CUDA out of memory"):
        list(worker_pool.do([1]))


def test_jobs_that_run_out_of_a_simulated_gpu_go_on_with_fewer_workers_of_more_room(
    do: Do, witness: Callable[..., Any]
) -> None:
    def work(job: int) -> float:
        share: float = ray.get_runtime_context().get_assigned_resources()["GPU"]
        if share < 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return share

    by = witness()
    assert result_of(list(do(work, range(2), Resources(cpu=0.25, gpu=0.25), by))) == {0: 1.0, 1: 1.0}
    assert by.said_of("memory") == [
        f"Out of memory in a worker of 0.25 CPU and {held} GPU: going on with fewer workers, of 0.25 CPU and {next_} "
        "GPU each."
        for held, next_ in ((0.25, 0.5), (0.5, 1))
    ]


def test_a_job_that_no_device_holds_fails_for_memory_alone(do: Do) -> None:
    def work(job: int) -> int:
        if job == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 200.00 GiB.")
        return job

    done = {one.job: one for one in do(work, range(3), Resources(cpu=0.25, gpu=1))}
    assert done[1].error is not None
    assert failure_of(done[1].error) == "memory"
    assert (done[0].result, done[2].result) == (0, 2)


def test_jobs_that_run_out_of_their_share_of_the_host_go_on_with_all_of_it(do: Do, witness: Callable[..., Any]) -> None:
    def work(job: int) -> float:
        return float(torch.ones(700 << 18).sum())

    by = witness()
    assert result_of(list(do(work, range(2), Resources(cpu=1), by))) == dict.fromkeys(range(2), float(700 << 18))
    assert by.said_of("memory") == [
        "Out of memory in a worker of 1 CPU and 0 GPU: going on with fewer workers, of 2 CPU and 0 GPU each."
    ]


def test_a_frozen_worker_is_killed_and_replaced(do: Do, witness: Callable[..., Any], tmp_path: Path) -> None:
    def work(job: int) -> int:
        if job == 0 and first_time(tmp_path, job):
            (tmp_path / "frozen").write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
        return job

    by = witness(hung_after_s=3.0)
    assert result_of(list(do(work, range(3), by=by))) == {0: 0, 1: 1, 2: 2}
    assert by.said_of("progress") == [
        "A worker made no progress for 3 s (resources.hung_after_s): it is killed and its work begun again."
    ]
    assert ended(int((tmp_path / "frozen").read_text()))


def test_a_job_that_hangs_again_and_again_is_given_up(do: Do, witness: Callable[..., Any]) -> None:
    def work(job: int) -> int:
        time.sleep(3600)
        return job

    [done] = do(work, [0], by=witness(hung_after_s=1.0))
    assert isinstance(done.error, LostWorkError)
    assert "made no progress 3 times" in str(done.error)


def test_a_request_to_stop_lets_steps_end_and_workers_keep_what_they_have(
    do: Do, witness: Callable[..., Any], tmp_path: Path
) -> None:
    def work(job: int) -> Generator[None, None, int]:
        for step in range(1000):
            (tmp_path / f"{job}-begins-{step}").touch()
            while step == 1 and not (tmp_path / "go").exists():
                time.sleep(0.01)
            (tmp_path / f"{job}-ends-{step}").touch()
            try:
                yield
            except GeneratorExit:
                (tmp_path / f"{job}-keeps-{step}").touch()
                raise
        return job

    by = witness()

    def ask() -> None:
        while len(list(tmp_path.glob("*-begins-1"))) < 2:
            time.sleep(0.01)
        by.stop.request()
        (tmp_path / "go").touch()

    asking = threading.Thread(target=ask)
    asking.start()
    assert list(do(work, range(4), by=by)) == []
    asking.join()
    for job in (0, 1):
        assert {path.name for path in tmp_path.glob(f"{job}-*")} >= {f"{job}-begins-1", f"{job}-ends-1"}
        [kept] = tmp_path.glob(f"{job}-keeps-*")
        assert kept.name == f"{job}-keeps-{len(list(tmp_path.glob(f'{job}-begins-*'))) - 1}"
    assert not list(tmp_path.glob("2-*"))


def test_after_a_request_to_stop_what_workers_cannot_keep_is_said(
    do: Do, witness: Callable[..., Any], tmp_path: Path
) -> None:
    def work(job: int) -> Generator[None, None, int]:
        try:
            while True:
                (tmp_path / f"{job}-began").touch()
                yield
        except GeneratorExit:
            if job == 0:
                raise OSError("the disk is full") from None
            time.sleep(3600)
            raise

    by = witness(hung_after_s=20.0)

    def ask() -> None:
        while len(list(tmp_path.glob("*-began"))) < 2:
            time.sleep(0.01)
        by.stop.request()

    asking = threading.Thread(target=ask)
    asking.start()
    assert list(do(work, range(2), by=by)) == []
    asking.join()
    then = "\nThe next run begins that work again, or goes on from its last checkpoint."
    assert sorted(by.said) == [
        f"A worker could not keep its unfinished work: {why}{then}"
        for why in ("it took longer than 20 s (resources.hung_after_s) and is killed", "the disk is full")
    ]


def test_in_this_process_too_a_request_to_stop_lets_a_step_end_and_the_worker_keep_what_it_has(
    witness: Callable[..., Any],
) -> None:
    by, did = witness(), list[str]()

    def work(job: int) -> Generator[None, None, int]:
        for step in range(2):
            if job == 1:
                by.stop.request()
            did.append(f"{job} {step}")
            try:
                yield
            except GeneratorExit:
                did.append(f"{job} keeps {step}")
                raise
        return 10 * job

    assert result_of(list(LocalWorkerPool(lambda: work, by.stop).do(range(3)))) == {0: 0}
    assert did == ["0 0", "0 1", "1 0", "1 keeps 0"]


def test_the_table_of_claims_is_there_again_when_its_process_was_killed(tmp_path: Path) -> None:
    claims = RayClaims()
    assert claims.claim("artifact", "one")
    assert not claims.claim("artifact", "other")
    pid = ray.get(claims._actor.__ray_call__.remote(lambda table: os.getpid()))
    os.kill(pid, signal.SIGKILL)
    assert claims.claim("artifact", "one")
    assert not claims.claim("artifact", "other")
    claims.release_all("one")
    assert claims.claim("artifact", "other")


def ended(pid: int) -> bool:
    """Wait until a process is no more, or waits for its parent."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False
