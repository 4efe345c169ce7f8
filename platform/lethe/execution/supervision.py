"""One policy for failures: what happens to a worker that dies, hangs, needs memory or does not start, and to its work.

It neither starts nor kills workers. Whoever schedules work (`ray_worker_pool`, the search on Ray Tune) reports to a
`Supervisor` what happened and does what it answers.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from ray.exceptions import RayError

from lethe.execution.failures import (
    ClusterError,
    Failure,
    LostWorkError,
    describe_losses,
    failure_of,
    is_given_up,
    raised_by,
)
from lethe.execution.resources import larger
from lethe.execution.stop import Stop
from lethe.study import Resources


@dataclass(frozen=True)
class Watch:
    """How everything that runs in a study is watched.

    Attributes:
        stop: once it is requested, no step begins. hung_after_s: a worker that takes longer than this for one step is
            killed, and its work begun again. say: called with each message for people, once.
    """

    stop: Stop
    hung_after_s: float
    say: Callable[[str], None]


@dataclass(frozen=True)
class Loss:
    """What happens to work that lost its worker, or ended in an error.

    Attributes:
        failure: why.
        error: what the work ends in; None: it is begun again, by a worker of the supervisor's resources.
    """

    failure: Failure
    error: Exception | None


class Supervisor:
    """Follows the workers of one kind, and decides what happens when one fails.

    A worker is named by anything hashable. Nothing here is locked: one thread reports.

    Args:
        nodes: returns the resources of each machine of the cluster, by Ray's names.

    Attributes:
        resources: of a worker that is started now; larger once a worker ran out of memory.
    """

    def __init__(self, resources: Resources, nodes: Callable[[], Sequence[Mapping[str, float]]], watch: Watch) -> None:
        self.resources = resources
        self._nodes = nodes
        self._watch = watch
        self._failed_starts: Counter[Failure] = Counter()
        self._step_began_at: dict[Hashable, float] = {}
        self._hung: set[Hashable] = set()

    @property
    def is_stopping(self) -> bool:
        """Whether no new step may begin."""
        return self._watch.stop.requested

    @property
    def hung_after_s(self) -> float:
        """How long a step may take."""
        return self._watch.hung_after_s

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the request to stop."""
        self._watch.stop.wait(seconds)

    def say(self, text: str) -> None:
        """Report a message to people, once."""
        self._watch.say(text)

    def begin_step(self, worker: Hashable) -> None:
        """Note that a worker begins a step now."""
        self._step_began_at[worker] = time.monotonic()

    def is_on_step(self, worker: Hashable) -> bool:
        """Return whether a worker has begun a step and not ended it."""
        return worker in self._step_began_at

    def end_step(self, worker: Hashable) -> None:
        """Note that a worker ended its step, or that it is gone."""
        self._step_began_at.pop(worker, None)

    def newly_hung(self) -> list[Hashable]:
        """Return the workers to kill because they take too long for their step, each once."""
        late = time.monotonic() - self.hung_after_s
        hung = [worker for worker, at in self._step_began_at.items() if at < late and worker not in self._hung]
        for worker in hung:
            self._hung.add(worker)
            again = ", and the next run begins its work again." if self.is_stopping else " and its work begun again."
            self.say(
                f"A worker made no progress for {self.hung_after_s:g} s (resources.hung_after_s): it is killed{again}"
            )
        return hung

    def rest_failed(self, error: RayError | None) -> None:
        """Report that a worker could not keep its unfinished work after the request to stop.

        Args:
            error: that ended it; None: it took longer than a step may take.
        """
        late = f"it took longer than {self.hung_after_s:g} s (resources.hung_after_s) and is killed"
        self.say(
            f"A worker could not keep its unfinished work: {late if error is None else raised_by(error)}\n"
            "The next run begins that work again, or goes on from its last checkpoint."
        )

    def worker_started(self) -> None:
        """Note that a worker has started: earlier failed starts no longer count."""
        self._failed_starts.clear()

    def start_failed(self, worker: Hashable, error: Exception | None, held: Resources) -> None:
        """Return if another worker is to be started in place of one that could not.

        Args:
            error: what starting it raised, or Ray's; None where nobody knows.
            held: the resources of the worker.

        Raises:
            ClusterError: workers die, hang or run out of memory before they are there.
            Exception: what starting it raised, where that was the worker's own code.
        """
        failure = self._failure(worker, error)
        self._failed_starts[failure] += 1
        if failure == "code" and error is not None:
            raise _raised(error) from error
        if is_given_up(self._failed_starts) or (failure == "memory" and not self._enlarge(held)):
            raise ClusterError(
                f"could not start a worker with {held}: it {describe_losses(self._failed_starts)}{_last(error)}"
            ) from error

    def work_lost(self, worker: Hashable, error: Exception | None, held: Resources, losses: Counter[Failure]) -> Loss:
        """Decide whether work is begun again.

        Args:
            worker: that did it.
            error: that it raised, or Ray's of its worker; None where nobody knows.
            held: the resources of the worker.
            losses: of this work so far; one that is not the work's end is counted.
        """
        failure = self._failure(worker, error)
        if error is not None and (failure == "code" or (failure == "memory" and not self._enlarge(held))):
            return Loss(failure, _raised(error))
        losses[failure] += 1
        if is_given_up(losses):
            return Loss(failure, LostWorkError(f"given up: it {describe_losses(losses)}{_last(error)}"))
        return Loss(failure, None)

    def _failure(self, worker: Hashable, error: Exception | None) -> Failure:
        if worker in self._hung:
            return "hung"
        return failure_of(error) if error is not None else "worker"

    def _enlarge(self, held: Resources) -> bool:
        """Go on with fewer workers of more resources than these; return whether there are more."""
        if held != self.resources:
            return True
        more = larger(held, self._nodes())
        if more is None:
            return False
        self.resources = more
        self.say(f"Out of memory in a worker of {held}: going on with fewer workers, of {more} each.")
        return True


def _last(error: Exception | None) -> str:
    return "" if error is None else f"; the last time: {_raised(error)}"


def _raised(error: Exception) -> Exception:
    return raised_by(error) if isinstance(error, RayError) else error
