"""Crews: warm workers that take jobs one after another, in this process or on a Ray cluster.

A worker is made once and kept: torch, the device and the data stay loaded between jobs. A job that raises is told as a
failure and the crew goes on; a job whose worker died is dealt again.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayActorError, RayTaskError

from lethe.study import Share

Job = TypeVar("Job")
Result = TypeVar("Result")

Worker = Callable[[Any], Any]
"""Does one job and gives its result."""

MAX_DEATHS = 5
"""How many workers may die under one job before the job is given up."""


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """What became of a job: its result, or the error that it ended in."""

    job: Job
    result: Result | None
    error: Exception | None


class Crew(ABC):
    """Does jobs with warm workers."""

    @abstractmethod
    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Do the jobs, in their order where workers are few; give each as it ends."""


class LocalCrew(Crew):
    """One worker in this process."""

    def __init__(self, make_worker: Callable[[], Worker]) -> None:
        self._make_worker = make_worker

    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Do one job after another."""
        worker = self._make_worker()
        for job in jobs:
            try:
                yield Done(job, worker(job), None)
            except Exception as error:
                yield Done(job, None, error)


class _Host:
    """What an actor runs: one worker, kept warm."""

    def __init__(self, make_worker: Callable[[], Worker]) -> None:
        self._worker = make_worker()

    def do(self, job: Any) -> Any:
        return self._worker(job)


class RayCrew(Crew):
    """As many workers as the cluster holds, each an actor with its share; they go when the jobs are done.

    Args:
        size: the most workers at a time.
    """

    def __init__(self, make_worker: Callable[[], Worker], share: Share, size: int) -> None:
        self._make_worker = make_worker
        self._share = share
        self._size = size

    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Deal the jobs out; a free worker takes the next."""
        waiting = deque((job, 0) for job in jobs)
        busy: dict[Any, tuple[Any, Job, int]] = {}
        for _ in range(min(self._size, len(waiting))):
            self._deal(self._hire(), waiting, busy)
        try:
            while busy:
                [ended], _ = ray.wait(list(busy), num_returns=1)
                host, job, deaths = busy.pop(ended)
                try:
                    done = Done[Job, Any](job, ray.get(ended), None)
                except RayActorError as error:
                    host = self._hire()
                    if deaths + 1 < MAX_DEATHS:
                        waiting.appendleft((job, deaths + 1))
                        self._deal(host, waiting, busy)
                        continue
                    done = Done(job, None, error)
                except RayTaskError as error:
                    done = Done(job, None, error.cause if isinstance(error.cause, Exception) else error)
                self._deal(host, waiting, busy)
                yield done
        finally:
            for host, _, _ in busy.values():
                ray.kill(host)

    def _hire(self) -> Any:
        actor = ray.remote(num_cpus=self._share.cpu, num_gpus=self._share.gpu)(_Host)
        return actor.remote(self._make_worker)

    @staticmethod
    def _deal(host: Any, waiting: deque[tuple[Job, int]], busy: dict[Any, tuple[Any, Job, int]]) -> None:
        """Give a worker the next job; without one the last reference to it goes, and with it the worker."""
        if waiting:
            job, deaths = waiting.popleft()
            busy[host.do.remote(job)] = (host, job, deaths)
