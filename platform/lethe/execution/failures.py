"""Why a unit of work was lost, and how often it may be lost before it is given up."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal

import torch
from ray.exceptions import ActorUnavailableError, NodeDiedError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from lethe.errors import LetheError

Cause = Literal["code", "memory", "worker", "node", "hung"]
"""What the work itself raised; no room in memory; a worker that died, whose node went, or that made no progress."""

LIMITS: Final[Mapping[Cause, int]] = {"worker": 10, "hung": 3, "node": 100}
"""How often the same work may lose its worker. Nodes come and go; a worker that dies ten times under one setting, or
hangs three times, does so because of it. Code errors are never tried again, memory for as long as a worker can have
more of it."""

_NO_MEMORY: Final = (
    "out of memory",
    "DefaultCPUAllocator",
    "ALLOC_FAILED",
    "Cannot allocate memory",
    "std::bad_alloc",
    "can't start new thread",
)
_KILLED_FOR_MEMORY: Final = ("NODE_OUT_OF_MEMORY", "low on memory")
_NODE_GONE: Final = ("node has died", "node was terminated", "NODE_DIED", "node died")


class ClusterError(LetheError):
    """A cluster that cannot be reached or does not hold what a study asks for."""


class ClusterFailedError(ClusterError):
    """A cluster that did not start, or that failed under a run; what had finished is kept."""


class LostWorkError(LetheError):
    """Work that was given up because it lost its worker too often; the message tells how often, and why."""


def cause_of(error: BaseException) -> Cause:
    """Tell why work ended in this error, raised by the work itself or by Ray."""
    if isinstance(error, RayTaskError):
        return cause_of(error.cause) if isinstance(error.cause, Exception) else "code"
    if isinstance(error, RayError):
        return _of_ray(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "memory"
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY):
        return "memory"
    return "code"


def given_up(losses: Counter[Cause]) -> bool:
    """Tell whether work that was lost this often, by cause, is not tried again."""
    return any(losses[cause] >= limit for cause, limit in LIMITS.items())


def told(losses: Counter[Cause]) -> str:
    """Say how often work was lost, and why."""
    words: dict[Cause, str] = {
        "code": "raised an error",
        "memory": "ran out of memory",
        "worker": "lost its worker process",
        "node": "lost its node",
        "hung": "made no progress",
    }
    return ", ".join(f"{words[cause]} {count} time{'s'[: count != 1]}" for cause, count in losses.items())


def _of_ray(error: RayError) -> Cause:
    """Tell what Ray says; a worker that cannot be reached, and that no node has told to be dead, went with its node."""
    text = str(error)
    if isinstance(error, OutOfMemoryError) or any(sign in text for sign in _KILLED_FOR_MEMORY):
        return "memory"
    preempted = isinstance(error, RayActorError) and error.preempted
    unreachable = isinstance(error, NodeDiedError | ActorUnavailableError)
    if preempted or unreachable or any(sign in text for sign in _NODE_GONE):
        return "node"
    return "worker"
