"""A worker pool whose workers are actors of a Ray cluster."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic

import ray
from ray.exceptions import RayError, RayTaskError

from lethe.execution._worker_actor import WorkerActor
from lethe.execution.failures import Failure
from lethe.execution.node_types import nodes_alive
from lethe.execution.supervision import Supervisor, Watch
from lethe.execution.worker_pool import Done, Job, Worker, WorkerPool
from lethe.study import Resources

PATIENCE_S = 30.0
"""After this long without a worker, report that the cluster has no free resources."""

TICK_S = 0.5
"""Seconds between two looks of a waiting worker pool at the clock and at the request to stop."""


class RayWorkerPool(WorkerPool):
    """Workers of a Ray cluster, each an actor with its resources; they go when the jobs are done.

    A worker gets its first job once it is ready. So more workers may be asked for than fit: a cluster that scales adds
    nodes, and on any other the workers that fit do all the jobs.

    Args:
        capacity: returns how many workers of these resources there may be at the moment.
        release_claims: called with the actor id of a worker that died.
    """

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        resources: Resources,
        capacity: Callable[[Resources], int],
        watch: Watch,
        release_claims: Callable[[str], None] = lambda actor_id: None,
    ) -> None:
        self._make_worker = make_worker
        self._resources = resources
        self._capacity = capacity
        self._watch = watch
        self._release_claims = release_claims

    def do(self, jobs: Iterable[Job]) -> Iterator[Done[Job, Any]]:
        """Distribute the jobs; a free worker takes the next.

        Raises:
            ClusterError: workers run out of memory or die before they are ready.
            Exception: whatever else making a worker raises.
        """
        supervisor = Supervisor(self._resources, nodes_alive, self._watch)
        run = _Run[Job](self._make_worker, supervisor, self._capacity, self._release_claims, jobs)
        try:
            yield from run.work()
        finally:
            run.end()


@dataclass
class _Task(Generic[Job]):
    """A job, and how often it lost its worker."""

    job: Job
    losses: Counter[Failure] = field(default_factory=Counter)


@dataclass(eq=False)
class _ActorWorker:
    """A worker that was asked for.

    Attributes:
        actor_id: empty until it has started.
    """

    actor: Any
    resources: Resources
    actor_id: str = ""


class _Run(Generic[Job]):
    """One call of a worker pool: the jobs that wait, the workers that start, and which worker does which job."""

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        supervisor: Supervisor,
        capacity: Callable[[Resources], int],
        release_claims: Callable[[str], None],
        jobs: Iterable[Job],
    ) -> None:
        self._make_worker = make_worker
        self._supervisor = supervisor
        self._capacity = capacity
        self._release_claims = release_claims
        self._waiting = deque(_Task(job) for job in jobs)
        self._starting: dict[Any, _ActorWorker] = {}
        self._busy: dict[Any, tuple[_ActorWorker, _Task[Job]]] = {}
        self._waits_since = time.monotonic()
        self._has_said_so = False

    def work(self) -> Iterator[Done[Job, Any]]:
        while (self._waiting or self._busy) and not self._supervisor.is_stopping:
            self._start_workers()
            self._kill_the_hung()
            ended = self._next_ended()
            if ended is None:
                self._report_a_long_wait()
            elif ended in self._starting:
                self._take_started(ended)
            elif done := self._take_step(ended):
                yield done
        yield from self._wind_down()

    def end(self) -> None:
        for worker in [*self._starting.values(), *(worker for worker, _ in self._busy.values())]:
            ray.kill(worker.actor)

    def _start_workers(self) -> None:
        """Ask for as many workers as there are waiting jobs, within what the cluster holds at the moment."""
        resources = self._supervisor.resources
        size = self._capacity(resources) if self._waiting else 0
        while len(self._starting) < len(self._waiting) and len(self._starting) + len(self._busy) < size:
            actor_class = ray.remote(num_cpus=resources.cpu, num_gpus=resources.gpu)(WorkerActor)
            worker = _ActorWorker(actor_class.remote(self._make_worker, resources.cpu, resources.gpu), resources)
            self._starting[worker.actor.start.remote()] = worker

    def _next_ended(self) -> Any | None:
        """Wait for a worker to start or to end its step; None if none did for a moment."""
        awaited = [*self._starting, *self._busy]
        if not awaited:
            self._supervisor.wait(TICK_S)
            return None
        ended, _ = ray.wait(awaited, num_returns=1, timeout=TICK_S)
        return ended[0] if ended else None

    def _report_a_long_wait(self) -> None:
        if self._busy:
            self._waits_since = time.monotonic()
        elif not self._has_said_so and time.monotonic() - self._waits_since >= PATIENCE_S:
            self._has_said_so = True
            self._supervisor.say(
                f"After {PATIENCE_S:g} s the cluster has made no room for a worker of {self._supervisor.resources}; "
                "still waiting."
            )

    def _take_started(self, started: Any) -> None:
        """Send a worker that has started its first job; replace one that could not start."""
        worker = self._starting.pop(started)
        try:
            worker.actor_id = ray.get(started)
        except RayError as error:
            self._supervisor.start_failed(worker, error, worker.resources)
        else:
            self._supervisor.worker_started()
            self._assign(worker)

    def _take_step(self, ended: Any) -> Done[Job, Any] | None:
        """Handle the end of a worker's step; None where the job goes on, or waits for another worker."""
        worker, task = self._busy.pop(ended)
        self._supervisor.end_step(worker)
        try:
            is_done, result = ray.get(ended)
        except RayError as error:
            return self._take_loss(worker, task, error)
        if not is_done:
            self._await(worker.actor.go_on.remote(), worker, task)
            return None
        self._assign(worker)
        return Done(task.job, result, None)

    def _take_loss(self, worker: _ActorWorker, task: _Task[Job], error: RayError) -> Done[Job, Any] | None:
        died = not isinstance(error, RayTaskError)
        if died:
            self._release_claims(worker.actor_id)
        loss = self._supervisor.work_lost(worker, error, worker.resources, task.losses)
        if loss.error is None:
            self._waiting.appendleft(task)
            return None
        if not died:
            self._assign(worker)
        return Done(task.job, None, loss.error)

    def _assign(self, worker: _ActorWorker) -> None:
        """Send a worker the next job.

        Without one, or if workers now have more resources, drop the last reference to the worker, which ends its actor.
        """
        if self._waiting and worker.resources == self._supervisor.resources:
            task = self._waiting.popleft()
            self._await(worker.actor.begin.remote(task.job), worker, task)

    def _await(self, step: Any, worker: _ActorWorker, task: _Task[Job]) -> None:
        self._busy[step] = (worker, task)
        self._supervisor.begin_step(worker)

    def _kill_the_hung(self) -> None:
        hung = self._supervisor.newly_hung()
        for worker, _ in self._busy.values():
            if worker in hung:
                ray.kill(worker.actor)

    def _wind_down(self) -> Iterator[Done[Job, Any]]:
        """Let the running steps end and the workers keep what they can; yield the jobs that ended with them."""
        while self._starting:
            _, worker = self._starting.popitem()
            ray.kill(worker.actor)
        resting: dict[Any, _ActorWorker] = {}
        while self._busy:
            self._kill_the_hung()
            ended = self._next_ended()
            if ended is None:
                continue
            worker, task = self._busy.pop(ended)
            self._supervisor.end_step(worker)
            try:
                is_done, result = ray.get(ended)
            except RayError:
                continue
            if is_done:
                yield Done(task.job, result, None)
            else:
                resting[worker.actor.rest.remote()] = worker
        self._take_rested(resting)

    def _take_rested(self, resting: dict[Any, _ActorWorker]) -> None:
        """Wait for workers to keep what they can; report those that could not, and kill those that hang."""
        if not resting:
            return
        ended, late = ray.wait(list(resting), num_returns=len(resting), timeout=self._supervisor.hung_after_s)
        for rest in ended:
            try:
                ray.get(rest)
            except RayError as error:
                self._supervisor.rest_failed(error)
        for rest in late:
            self._supervisor.rest_failed(None)
            ray.kill(resting[rest].actor)
