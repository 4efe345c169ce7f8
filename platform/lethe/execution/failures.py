"""Why a unit of work was lost, and how often it may be lost before it is given up.

Torch is not imported, so that actors that do not need it start quickly.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

from ray.exceptions import ActorUnavailableError, NodeDiedError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from lethe.errors import LetheError, UnlearningError

Failure = Literal["code", "memory", "worker", "node", "hung"]
"""The work itself raised an error; not enough memory; a worker that died, whose node was lost, or that made no
progress."""
LIMITS: Final[Mapping[Failure, int]] = {"worker": 10, "hung": 3, "node": 100}
"""How often the same work may lose its worker. Nodes come and go; a worker that dies ten times, or hangs three times,
under one setting does so because of it. An error of the work itself is never retried; running out of memory is, as long
as a worker can have more."""

_NO_MEMORY: Final = (
    "MemoryError",
    "out of memory",
    "DefaultCPUAllocator",
    "ALLOC_FAILED",
    "Cannot allocate memory",
    "std::bad_alloc",
    "can't start new thread",
)
_NO_PRIMITIVE: Final = "could not create a primitive"
"""All that oneDNN says of a layer that finds no memory for its code or its scratch space. Of a layer that it cannot
compute it says `could not create a primitive descriptor` and for what."""
_KILLED_FOR_MEMORY: Final = ("NODE_OUT_OF_MEMORY", "low on memory")
_NODE_GONE: Final = ("node has died", "node was terminated", "NODE_DIED", "node died")


class ClusterError(LetheError):
    """A cluster that cannot be reached or does not hold what a study asks for."""


class ClusterFailedError(ClusterError):
    """A cluster that did not start, or that failed during a run; what had finished is kept."""


class LostWorkError(LetheError):
    """Work that was given up because it lost its worker too often; the message says how often, and why."""


def failure_of(error: BaseException) -> Failure:
    """Classify the error that ended work, raised by the work itself or by Ray."""
    if isinstance(error, RayTaskError):
        return failure_of(error.cause) if isinstance(error.cause, Exception) else "code"
    if isinstance(error, RayError):
        return _of_ray(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's
        return "memory"
    if isinstance(error, RuntimeError | UnlearningError):
        text = str(error)
        if text.endswith(_NO_PRIMITIVE) or any(sign in text for sign in _NO_MEMORY):
            return "memory"
    return "code"


def is_given_up(losses: Counter[Failure]) -> bool:
    """Return whether work that was lost this often, by failure, is given up."""
    return any(losses[failure] >= limit for failure, limit in LIMITS.items())


def describe_losses(losses: Counter[Failure]) -> str:
    """Return how often work was lost, and why, as the predicate of a sentence."""
    words: dict[Failure, str] = {
        "code": "raised an error",
        "memory": "ran out of memory",
        "worker": "lost its worker process",
        "node": "lost its node",
        "hung": "made no progress",
    }
    return ", ".join(f"{words[failure]} {count} time{'s'[: count != 1]}" for failure, count in losses.items())


def raised_by(error: RayError) -> Exception:
    """Return the work's own error, or Ray's account of its worker."""
    cause = error.cause if isinstance(error, RayTaskError) else None
    return cause if isinstance(cause, Exception) else error


def _of_ray(error: RayError) -> Failure:
    """Classify Ray's error; a worker that cannot be reached, and that no node reports dead, was lost with its node."""
    text = str(error)
    if isinstance(error, OutOfMemoryError) or any(sign in text for sign in _KILLED_FOR_MEMORY):
        return "memory"
    preempted = isinstance(error, RayActorError) and error.preempted
    unreachable = isinstance(error, NodeDiedError | ActorUnavailableError)
    if preempted or unreachable or any(sign in text for sign in _NODE_GONE):
        return "node"
    return "worker"
