"""worker pools: warm workers that take jobs one after another, in this process or on a Ray cluster.

A worker is made once and kept: torch, the device and the data stay loaded between jobs. It does a job step by step, so
that whoever deals the jobs can stop between two steps and sees a worker that makes none. A job that raises is told as a
failure and the worker pool goes on; a job that lost its worker is dealt again, one that ran out of memory with more
resources.
"""

import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from lethe.execution.device import cap_memory
from lethe.execution.failures import Cause, ClusterError, LostWorkError, cause_of, given_up, told
from lethe.execution.resources import larger
from lethe.execution.stop import Stop
from lethe.study import Resources

Job = TypeVar("Job")
Result = TypeVar("Result")

Steps = Generator[None, None, Result]
"""A job on its way: yields after each step and returns its result; closed in between, it keeps what it can."""

Worker = Callable[[Any], Steps[Any]]
"""Does one job after another."""

PATIENCE_S = 30.0
"""After this long without a worker it is said that the cluster has no room."""

TICK_S = 0.5
"""How often a worker pool that waits looks at the clock and at the wish to stop."""


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """What became of a job: its result, or the error that it ended in."""

    job: Job
    result: Result | None
    error: Exception | None


@dataclass(frozen=True)
class Watch:
    """What whoever deals work keeps an eye on.

    Attributes:
        stop: once it is asked for, no step begins.
        hung_after_s: a worker that is longer than this on one step is killed, and its work dealt again.
        say: told, once each, what people should know.
    """

    stop: Stop
    hung_after_s: float
    say: Callable[[str], None]

    def tell_of_a_hung_worker(self) -> None:
        """Say that a worker is killed because it made no progress."""
        self.say(
            f"A worker made no progress for {self.hung_after_s:g} s (resources.hung_after_s): it is killed and its "
            "work begun again."
        )


class WorkerPool(ABC):
    """Does jobs with warm workers."""

    @abstractmethod
    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Do the jobs, in their order where workers are few; give each as it ends, and no more after a wish to stop."""


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


class _WorkerActor:
    """What an actor runs: one worker, kept warm."""

    def __init__(self, make_worker: Callable[[], Worker], resources: Resources) -> None:
        self._make_worker = make_worker
        self._resources = resources

    def ready(self) -> None:
        """Make the worker; what that raises is told as it is, where an error in `__init__` would kill the actor."""
        cap_memory(self._resources)
        self._worker = self._make_worker()

    def begin(self, job: Any) -> tuple[bool, Any]:
        self._steps = self._worker(job)
        return self.go_on()

    def go_on(self) -> tuple[bool, Any]:
        """Make a step; tell whether the job is done, and its result."""
        try:
            next(self._steps)
        except StopIteration as end:
            return True, end.value
        return False, None

    def rest(self) -> None:
        """Leave the job where it is."""
        self._steps.close()


class RayWorkerPool(WorkerPool):
    """Workers of a Ray cluster, each an actor with its room; they go when the jobs are done.

    A worker gets its first job once it is ready. So more workers may be asked for than there is room for: a cluster
    that grows makes room, and on one that does not the others do all the jobs.

    Args:
        capacity: tells how many workers of a room there may be at the moment.
        bury: told the actor id of a worker that died.
    """

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        resources: Resources,
        capacity: Callable[[Resources], int],
        watch: Watch,
        release_all: Callable[[str], None] = lambda actor: None,
    ) -> None:
        self._make_worker = make_worker
        self._resources = resources
        self._capacity = capacity
        self._watch = watch
        self._bury = release_all

    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Deal the jobs out; a free worker takes the next.

        Raises:
            ClusterError: workers run out of memory or die before they are ready.
            Exception: whatever else making a worker raises.
        """
        shift = _Shift[Job](self._make_worker, self._resources, self._capacity, self._watch, self._bury, jobs)
        try:
            yield from shift.work()
        finally:
            shift.end()


@dataclass
class _Task(Generic[Job]):
    """A job, and how often it lost its worker."""

    job: Job
    losses: Counter[Cause] = field(default_factory=Counter)


@dataclass(frozen=True, eq=False)
class _Hand:
    """A worker that was hired."""

    actor: Any
    resources: Resources

    @property
    def id(self) -> str:
        return str(self.actor._actor_id.hex())


class _Shift(Generic[Job]):
    """One call of a worker pool: the jobs that wait, the workers on their way, and who does what."""

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        resources: Resources,
        capacity: Callable[[Resources], int],
        watch: Watch,
        release_all: Callable[[str], None],
        jobs: Iterable[Job],
    ) -> None:
        self._make_worker = make_worker
        self._resources = resources
        self._capacity = capacity
        self._watch = watch
        self._bury = release_all
        self._waiting = deque(_Task(job) for job in jobs)
        self._coming: dict[Any, _Hand] = {}
        self._busy: dict[Any, tuple[_Hand, _Task[Job], float]] = {}
        self._hung: set[_Hand] = set()
        self._stillborn: Counter[Cause] = Counter()
        self._waits_since = time.monotonic()
        self._has_told = False

    def work(self) -> Iterator[Done[Job, Any]]:
        while (self._waiting or self._busy) and not self._watch.stop.requested:
            self._hire()
            self._kill_the_hung()
            ended = self._next_ended()
            if ended is None:
                self._tell_of_a_long_wait()
            elif ended in self._coming:
                self._welcome(ended)
            elif done := self._take(ended):
                yield done
        yield from self._wind_down()

    def end(self) -> None:
        for hand in [*self._coming.values(), *(hand for hand, _, _ in self._busy.values())]:
            ray.kill(hand.actor)

    def _hire(self) -> None:
        """Ask for as many workers as there are jobs that wait, within what the cluster holds at the moment."""
        size = self._capacity(self._resources) if self._waiting else 0
        while len(self._coming) < len(self._waiting) and len(self._coming) + len(self._busy) < size:
            host = ray.remote(num_cpus=self._resources.cpu, num_gpus=self._resources.gpu)(_WorkerActor)
            hand = _Hand(host.remote(self._make_worker, self._resources), self._resources)
            self._coming[hand.actor.ready.remote()] = hand

    def _next_ended(self) -> Any | None:
        """Wait for a worker to be ready or to end its step; None if none did for a moment."""
        awaited = [*self._coming, *self._busy]
        if not awaited:
            self._watch.stop.wait(TICK_S)
            return None
        ended, _ = ray.wait(awaited, num_returns=1, timeout=TICK_S)
        return ended[0] if ended else None

    def _tell_of_a_long_wait(self) -> None:
        if self._busy:
            self._waits_since = time.monotonic()
        elif not self._has_told and time.monotonic() - self._waits_since >= PATIENCE_S:
            self._has_told = True
            self._watch.say(
                f"After {PATIENCE_S:g} s the cluster has made no room for a worker of {self._resources}; still waiting."
            )

    def _welcome(self, ready: Any) -> None:
        """Give a worker that is ready its first job; one that died on the way is replaced."""
        hand = self._coming.pop(ready)
        try:
            ray.get(ready)
        except RayError as error:
            self._mourn(hand, error)
        else:
            self._stillborn.clear()
            self._deal(hand)

    def _mourn(self, hand: _Hand, error: RayError) -> None:
        """See whether to try again after a worker that could not be made or died on the way."""
        cause = cause_of(error)
        self._stillborn[cause] += 1
        if cause == "code":
            raise _raised(error) from error
        if given_up(self._stillborn) or (cause == "memory" and not self._enlarge(hand.resources)):
            raise ClusterError(
                f"could not start a worker with {hand.resources}: it {told(self._stillborn)}; the last time: "
                f"{_raised(error)}"
            ) from error

    def _take(self, ended: Any) -> Done[Job, Any] | None:
        """Take what a worker did; None where the job goes on, or waits for another worker."""
        hand, task, _ = self._busy.pop(ended)
        try:
            is_done, result = ray.get(ended)
        except RayError as error:
            return self._take_loss(hand, task, error)
        if not is_done:
            self._busy[hand.actor.go_on.remote()] = (hand, task, time.monotonic())
            return None
        self._deal(hand)
        return Done(task.job, result, None)

    def _take_loss(self, hand: _Hand, task: _Task[Job], error: RayError) -> Done[Job, Any] | None:
        cause: Cause = "hung" if hand in self._hung else cause_of(error)
        died = not isinstance(error, RayTaskError)
        if died:
            self._bury(hand.id)
        task.losses[cause] += 1
        if cause == "code" or (cause == "memory" and not self._enlarge(hand.resources)):
            if not died:
                self._deal(hand)
            return Done(task.job, None, _raised(error))
        if given_up(task.losses):
            return Done(task.job, None, LostWorkError(f"given up: it {told(task.losses)}; the last time: {error}"))
        self._waiting.appendleft(task)
        return None

    def _enlarge(self, resources: Resources) -> bool:
        """Go on with fewer workers of more room than this one; tell whether there is more."""
        if resources != self._resources:
            return True
        more = larger(resources, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        if more is None:
            return False
        self._resources = more
        self._watch.say(f"Out of memory in a worker of {resources}: going on with fewer workers, of {more} each.")
        return True

    def _kill_the_hung(self) -> None:
        late = time.monotonic() - self._watch.hung_after_s
        for hand, _, since in self._busy.values():
            if since < late and hand not in self._hung:
                self._hung.add(hand)
                ray.kill(hand.actor)
                self._watch.tell_of_a_hung_worker()

    def _deal(self, hand: _Hand) -> None:
        """Give a worker the next job. Without one, or with less room than workers have now, its last reference goes."""
        if self._waiting and hand.resources == self._resources:
            task = self._waiting.popleft()
            self._busy[hand.actor.begin.remote(task.job)] = (hand, task, time.monotonic())

    def _wind_down(self) -> Iterator[Done[Job, Any]]:
        """Let the running steps end and the workers keep what they can; give the jobs that ended with them."""
        while self._coming:
            _, hand = self._coming.popitem()
            ray.kill(hand.actor)
        resting: dict[Any, _Hand] = {}
        while self._busy:
            self._kill_the_hung()
            ended = self._next_ended()
            if ended is None:
                continue
            hand, task, _ = self._busy.pop(ended)
            try:
                is_done, result = ray.get(ended)
            except RayError:
                continue
            if is_done:
                yield Done(task.job, result, None)
            else:
                resting[hand.actor.rest.remote()] = hand
        if resting:
            ray.wait(list(resting), num_returns=len(resting), timeout=self._watch.hung_after_s)


def _raised(error: RayError) -> Exception:
    """Give what was raised on the worker, or what Ray says of it."""
    raised: Exception = error.cause if isinstance(error, RayTaskError) and isinstance(error.cause, Exception) else error
    return raised
