"""Connects to a Ray cluster (a new one on this machine, or one by address), or to none at all."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import floor

import ray

from lethe.cluster._crew import Crew, LocalCrew, RayCrew, Worker
from lethe.study import Share

KNOCK_S = 5.0


class ClusterError(Exception):
    """A cluster that cannot be reached or does not hold what a study asks for."""


class Connection(ABC):
    """What a study runs on."""

    title: str

    @abstractmethod
    def capacity(self, share: Share) -> int:
        """Count the workers of this share that run at a time."""

    @abstractmethod
    def crew(self, make_worker: Callable[[], Worker], share: Share) -> Crew:
        """Gather warm workers of one kind."""


class Local(Connection):
    """This process: one worker, no Ray."""

    title = "this process"

    def capacity(self, share: Share) -> int:
        """One."""
        return 1

    def crew(self, make_worker: Callable[[], Worker], share: Share) -> Crew:
        """One worker, made here."""
        return LocalCrew(make_worker)


class OnRay(Connection):
    """A Ray cluster that this process has joined.

    Args:
        workers: the most workers of a kind; None: as many as the cluster holds now.
    """

    def __init__(self, workers: int | None) -> None:
        self._workers = workers

    @property
    def title(self) -> str:  # type: ignore[override]
        """Name the cluster by what it holds."""
        held = ray.cluster_resources()
        nodes = sum(node["Alive"] for node in ray.nodes())
        return f"Ray: {nodes} node{'s'[: nodes != 1]}, {held.get('CPU', 0):g} CPU, {held.get('GPU', 0):g} GPU"

    def capacity(self, share: Share) -> int:
        """Give what the study asks for, else count node by node, since a worker does not straddle nodes or GPUs.

        Raises:
            ClusterError: nothing is asked for, and no node holds a single worker of this share.
        """
        if self._workers is not None:
            return self._workers
        workers = sum(fitting(node["Resources"], share) for node in ray.nodes() if node["Alive"])
        if workers == 0:
            raise ClusterError(
                f"no node of the cluster holds a worker of {share.cpu:g} CPU and {share.gpu:g} GPU; its nodes have "
                + ", ".join(_shown(node["Resources"]) for node in ray.nodes() if node["Alive"])
                + ". Lower resources.trial and resources.training in the study, or join a cluster that has them; for "
                "one that grows, say in resources.workers how many workers it may grow to"
            )
        return workers

    def crew(self, make_worker: Callable[[], Worker], share: Share) -> Crew:
        """As many workers as `capacity` tells."""
        return RayCrew(make_worker, share, self.capacity(share))


def fitting(resources: Mapping[str, float], share: Share) -> int:
    """Count the workers of a share that a machine of these resources (CPU, GPU) holds."""
    by_cpu = floor(resources.get("CPU", 0) / share.cpu + 1e-9)
    if share.gpu == 0:
        return by_cpu
    gpus = floor(resources.get("GPU", 0) + 1e-9)
    by_gpu = gpus * floor(1 / share.gpu + 1e-9) if share.gpu <= 1 else floor(gpus / share.gpu)
    return min(by_cpu, by_gpu)


def _shown(resources: dict[str, float]) -> str:
    return f"{resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"


@contextmanager
def connect(address: str | None = None, *, local: bool = False, workers: int | None = None) -> Iterator[Connection]:
    """Join what the study runs on, and leave it afterwards.

    Args:
        address: of a running cluster, ``auto`` for the one on this machine; None starts Ray on this machine alone.
        local: run in this process, without Ray.
        workers: the most workers of a kind on Ray; None: as many as it holds.

    Raises:
        ClusterError: the cluster cannot be reached.
    """
    if local:
        yield Local()
        return
    try:
        _join(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"cannot join the Ray cluster {address or 'on this machine'}: {error}") from error
    try:
        yield OnRay(workers)
    finally:
        ray.shutdown()


def _join(address: str | None) -> None:
    if address is None:
        ray.init(address="local", include_dashboard=False, logging_level="ERROR", log_to_driver=False)
        return
    if address != "auto":
        _knock(address)
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except ConnectionError as error:
        raise ConnectionError(
            f"{error}\nIf it runs, its token may be another: see that RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH gives the "
            f"cluster's own. Its Ray must be {ray.__version__}, as here."
        ) from error


def _knock(address: str) -> None:
    """See that somebody answers at ``HOST:PORT``: Ray itself would try for minutes.

    Raises:
        ConnectionError: nobody does.
        ValueError: the address has another form.
    """
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()):
        raise ValueError("wanted auto or HOST:PORT, such as 10.0.0.1:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    except OSError as error:
        raise ConnectionError(f"nobody answers ({error}); see that the head runs and that its port is open") from error
