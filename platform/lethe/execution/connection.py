"""What a study runs on: this process, or a Ray cluster that it has joined."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import ray

from lethe.execution.device import resources_here
from lethe.execution.failures import ClusterError
from lethe.execution.node_types import nodes_alive
from lethe.execution.ray_worker_pool import RayWorkerPool
from lethe.execution.resources import fitting
from lethe.execution.supervision import Watch
from lethe.execution.worker_pool import LocalWorkerPool, Worker, WorkerPool
from lethe.study import Resources

FRESH_S = 2.0
"""How long a listing of the cluster's nodes is cached."""


def _release_nothing(actor_id: str) -> None:
    """Do nothing for a worker that died."""


class Connection(ABC):
    """What a study runs on."""

    title: str

    @abstractmethod
    def nodes(self) -> list[Mapping[str, float]]:
        """Return the resources of each machine, as Ray counts them."""

    @abstractmethod
    def worker_pool(
        self,
        make_worker: Callable[[], Worker],
        resources: Resources,
        watch: Watch,
        release_claims: Callable[[str], None] = _release_nothing,
    ) -> WorkerPool:
        """Return a pool of warm workers that are alike.

        Args:
            release_claims: called with the actor id of a worker that died.
        """


class Local(Connection):
    """This process: one worker, no Ray."""

    title = "this machine, without Ray"

    def nodes(self) -> list[Mapping[str, float]]:
        """Return those of this machine."""
        return [resources_here()]

    def worker_pool(
        self,
        make_worker: Callable[[], Worker],
        resources: Resources,
        watch: Watch,
        release_claims: Callable[[str], None] = _release_nothing,
    ) -> WorkerPool:
        """Return a pool of one worker, made here."""
        return LocalWorkerPool(make_worker, watch.stop)


class OnRay(Connection):
    """A Ray cluster that this process has joined.

    Args:
        workers: the most workers of one pool; None: as many as the cluster holds now.
    """

    def __init__(self, workers: int | None) -> None:
        self._workers = workers
        self._nodes: list[Mapping[str, float]] = []
        self._looked_at = -math.inf

    @property
    def title(self) -> str:  # type: ignore[override]
        """The cluster's resources, as a title."""
        held = ray.cluster_resources()
        count = len(self.nodes())
        return f"Ray: {count} node{'s'[: count != 1]}, {held.get('CPU', 0):g} CPU, {held.get('GPU', 0):g} GPU"

    def nodes(self) -> list[Mapping[str, float]]:
        """Return the resources of each node that was there a moment ago."""
        if time.monotonic() - self._looked_at > FRESH_S:
            self._nodes = nodes_alive()
            self._looked_at = time.monotonic()
        return self._nodes

    def capacity(self, resources: Resources) -> int:
        """Return how many workers of these resources there may be.

        That is `resources.workers` if the study sets it, else a count node by node, since a worker cannot span nodes or
        GPUs.
        """
        if self._workers is not None:
            return self._workers
        return sum(fitting(node, resources) for node in self.nodes())

    def check_holds(self, resources: Resources) -> None:
        """Check that there can be a worker of these resources.

        Raises:
            ClusterError: no node holds one, and the study sets no `resources.workers` for a cluster that scales.
        """
        if self.capacity(resources) == 0:
            held = ", ".join(f"{node.get('CPU', 0):g} CPU and {node.get('GPU', 0):g} GPU" for node in self.nodes())
            raise ClusterError(
                f"no node of the cluster holds a worker of {resources}; its nodes have {held}. Lower resources.trial "
                "and resources.training in the study, or join a cluster that has them; for one that grows, say in "
                "resources.workers how many workers it may grow to"
            )

    def worker_pool(
        self,
        make_worker: Callable[[], Worker],
        resources: Resources,
        watch: Watch,
        release_claims: Callable[[str], None] = _release_nothing,
    ) -> WorkerPool:
        """Return a pool of as many workers as `capacity` allows."""
        return RayWorkerPool(make_worker, resources, self.capacity, watch, release_claims)
