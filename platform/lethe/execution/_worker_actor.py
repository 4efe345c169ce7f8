"""What an actor of a worker pool runs. Torch is not imported: a worker that does not need it starts quickly."""

from collections.abc import Callable
from typing import Any

import ray

from lethe.execution.memory_limit import cap_memory


class WorkerActor:
    """One warm worker.

    Args:
        cpu, gpu: its resources.
    """

    def __init__(self, make_worker: Callable[[], Callable[[Any], Any]], cpu: float, gpu: float) -> None:
        self._make_worker = make_worker
        self._cpu, self._gpu = cpu, gpu

    def start(self) -> str | None:
        """Make the worker, and return the actor's id.

        An error is raised as it is, whereas one in `__init__` would kill the actor.
        """
        cap_memory(self._cpu, self._gpu)
        self._worker = self._make_worker()
        actor_id: str | None = ray.get_runtime_context().get_actor_id()
        return actor_id

    def begin(self, job: Any) -> tuple[bool, Any]:
        """Begin a job and run its first step; see `go_on`."""
        self._steps = self._worker(job)
        return self.go_on()

    def go_on(self) -> tuple[bool, Any]:
        """Run a step; return whether the job is done, and its result."""
        try:
            next(self._steps)
        except StopIteration as end:
            return True, end.value
        return False, None

    def rest(self) -> None:
        """Close the unfinished job; it keeps what it can."""
        self._steps.close()
