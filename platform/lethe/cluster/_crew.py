"""Crews: warm workers that take jobs one after another, in this process or on a Ray cluster.

A worker is made once and kept: torch, the device and the data stay loaded between jobs. A job that raises is told as a
failure and the crew goes on; a job whose worker died is dealt again.
"""

import logging
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
"""How many workers may die under one job before the job is given up, or on their way before the crew is."""

PATIENCE_S = 30.0
"""After this long without a worker it is said that the cluster has no room."""


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
        self._make_worker = make_worker

    def ready(self) -> None:
        """Make the worker; what that raises is told as it is, where an error in `__init__` would kill the actor."""
        self._worker = self._make_worker()

    def do(self, job: Any) -> Any:
        return self._worker(job)


class RayCrew(Crew):
    """Workers of a Ray cluster, each an actor with its share; they go when the jobs are done.

    A worker gets its first job once it is ready. So more workers may be asked for than there is room for: a cluster
    that grows makes room, and on one that does not the others do all the jobs.

    Args:
        size: the most workers at a time.
    """

    def __init__(self, make_worker: Callable[[], Worker], share: Share, size: int) -> None:
        self._make_worker = make_worker
        self._share = share
        self._size = size

    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Deal the jobs out; a free worker takes the next.

        Raises:
            Exception: whatever making a worker raises.
        """
        shift = _Shift[Job](self._make_worker, self._share, jobs)
        try:
            yield from shift.work(self._size)
        finally:
            shift.end()


class _Shift(Generic[Job]):
    """One call of a crew: the jobs that wait, the workers on their way, and who does what."""

    def __init__(self, make_worker: Callable[[], Worker], share: Share, jobs: Iterable[Job]) -> None:
        self._make_worker = make_worker
        self._share = share
        self._waiting = deque((job, 0) for job in jobs)
        self._coming: dict[Any, Any] = {}
        self._busy: dict[Any, tuple[Any, Job, int]] = {}
        self._stillborn = 0

    def work(self, size: int) -> Iterator[Done[Job, Any]]:
        for _ in range(min(size, len(self._waiting))):
            self._hire()
        patience_s: float | None = PATIENCE_S
        while self._waiting or self._busy:
            ended, _ = ray.wait([*self._coming, *self._busy], num_returns=1, timeout=patience_s)
            if not ended:
                self._tell_of_the_wait()
            elif ended[0] in self._coming:
                self._welcome(ended[0])
            elif done := self._take(ended[0]):
                yield done
            patience_s = None

    def end(self) -> None:
        for host in [*self._coming.values(), *(host for host, _, _ in self._busy.values())]:
            ray.kill(host)

    def _hire(self) -> None:
        actor = ray.remote(num_cpus=self._share.cpu, num_gpus=self._share.gpu)(_Host)
        host = actor.remote(self._make_worker)
        self._coming[host.ready.remote()] = host

    def _tell_of_the_wait(self) -> None:
        logging.getLogger(__name__).warning(
            "After %g s the cluster has made no room for a worker of %g CPU and %g GPU; still waiting.",
            PATIENCE_S,
            self._share.cpu,
            self._share.gpu,
        )

    def _welcome(self, ready: Any) -> None:
        """Give a worker that is ready its first job, or ask for another where it died on the way."""
        host = self._coming.pop(ready)
        try:
            ray.get(ready)
        except RayTaskError as error:
            raise _cause(error) from error
        except RayActorError:
            self._stillborn += 1
            if self._stillborn >= MAX_DEATHS:
                raise
            self._hire()
        else:
            self._deal(host)

    def _take(self, ended: Any) -> Done[Job, Any] | None:
        """Take what a worker did and give it the next job; None where it died and the job waits for another."""
        host, job, deaths = self._busy.pop(ended)
        try:
            done = Done[Job, Any](job, ray.get(ended), None)
        except RayTaskError as error:
            done = Done(job, None, _cause(error))
        except RayActorError as error:
            self._hire()
            if deaths + 1 < MAX_DEATHS:
                self._waiting.appendleft((job, deaths + 1))
                return None
            return Done(job, None, error)
        self._deal(host)
        return done

    def _deal(self, host: Any) -> None:
        """Give a worker the next job; without one the last reference to it goes, and with it the worker."""
        if self._waiting:
            job, deaths = self._waiting.popleft()
            self._busy[host.do.remote(job)] = (host, job, deaths)


def _cause(error: RayTaskError) -> Exception:
    """Give what was raised on the worker."""
    return error.cause if isinstance(error.cause, Exception) else error
