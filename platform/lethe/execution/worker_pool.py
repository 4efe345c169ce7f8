"""Worker pools: warm workers that do one job after another, in this process or on a Ray cluster.

A worker is started once and kept: torch, the device and the data stay loaded between jobs. It does a job step by step,
so that the pool can stop between two steps and notices a worker that hangs. A job that raises is reported as a failure
and the pool goes on; what happens to one that lost its worker is the `Supervisor`'s decision.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lethe.execution.stop import Stop

Job = TypeVar("Job")
Result = TypeVar("Result")

Steps = Generator[None, None, Result]
"""A job in progress: yields after each step and returns its result; closed early, it keeps what it can."""

Worker = Callable[[Any], Steps[Any]]
"""Does one job after another."""


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """What became of a job: its result, or the error that it ended in."""

    job: Job
    result: Result | None
    error: Exception | None


class WorkerPool(ABC):
    """Does jobs with warm workers."""

    @abstractmethod
    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Do the jobs, in their order where workers are few; yield each as it ends, none after a request to stop."""


class LocalWorkerPool(WorkerPool):
    """One worker in this process."""

    def __init__(self, make_worker: Callable[[], Worker], stop: Stop) -> None:
        self._make_worker = make_worker
        self._stop = stop

    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Do one job after another."""
        worker = self._make_worker()
        for job in jobs:
            if self._stop.requested:
                return
            steps = worker(job)
            try:
                while not self._stop.requested:
                    next(steps)
            except StopIteration as end:
                yield Done(job, end.value, None)
            except Exception as error:
                yield Done(job, None, error)
            finally:
                steps.close()
