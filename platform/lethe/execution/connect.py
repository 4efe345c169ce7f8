"""Connects to a Ray cluster (a new one on this machine, or one by address), or to none at all."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import ray

from lethe.execution import _ray_private, ray_settings
from lethe.execution._address import find_head
from lethe.execution._guard import Sign, guarding, head_gone, raylet_gone
from lethe.execution._own_node import OwnNode
from lethe.execution._rehearsal import JOIN_S, rehearse
from lethe.execution.connection import Connection, Local, OnRay
from lethe.execution.failures import ClusterError, ClusterFailedError
from lethe.execution.plugin_code import with_plugins
from lethe.execution.preflight import preflight
from lethe.execution.runtime_env import has_travelled, runtime_env
from lethe.storage.root import StorageRoot
from unlearning.families import Package

_LOG: Final = logging.getLogger(__name__)


@contextmanager
def connect(
    address: str | None = None,
    *,
    local: bool = False,
    workers: int | None = None,
    root: StorageRoot | None = None,
    plugins: Sequence[Package] = (),
    say: Callable[[str], None] = _LOG.warning,
    on_failure: Callable[[str], None] = lambda fault: None,
) -> Iterator[Connection]:
    """Join what the study runs on, and leave it afterwards.

    Args:
        address: of a running cluster, ``auto`` for the one on this machine; None starts Ray on this machine alone.
        local: run in this process, without Ray.
        workers: the most workers of one pool on Ray; None: as many as it holds.
        root: the results; with it the nodes of a running cluster are checked first, see `preflight`.
        plugins: distributions whose code travels to a running cluster with Lethe's own.
        say: called with a sentence when a start is tried again.
        on_failure: called, in another thread, when the cluster fails while inside; what runs should stop. Where it does
            not, it is interrupted, and if Ray's own code does not return either, the process ends with exit code 3.

    Raises:
        ClusterError: the cluster cannot be reached, or its nodes differ from this one; see `preflight`.
        ClusterFailedError: it did not start, or it failed while inside.
        PluginError: the code of a plug-in cannot be sent.
    """
    if local:
        yield Local()
        return
    _ray_private.silence_dead_workers()
    with _own(say) if address is None else _running(address, plugins, say) as signs, guarding(signs, on_failure):
        try:
            if address is not None and root is not None:
                preflight(root)
            yield OnRay(workers)
        finally:
            ray.shutdown()


@contextmanager
def _own(say: Callable[[str], None]) -> Iterator[list[Sign]]:
    """Start Ray on this machine, closed to everybody else, and join it."""
    ray_settings.demand_token()
    with OwnNode(say) as node:
        _join(node.address)
        yield [node.fault]


@contextmanager
def _running(address: str, plugins: Sequence[Package], say: Callable[[str], None]) -> Iterator[list[Sign]]:
    """Join a running cluster; the code that runs here travels to its workers."""
    head = find_head(address)
    rehearse(head, say)
    _join(head, runtime_env={} if has_travelled() else with_plugins(runtime_env(), plugins))
    with raylet_gone(_raylet_socket()) as sign:
        yield [sign, head_gone(head)]


def _join(head: str, **options: Any) -> None:
    """Join a cluster in a thread: while Ray's code waits there, this one handles signals and the time limit."""
    ended: list[BaseException | None] = []

    def join() -> None:
        try:
            ray.init(address=head, logging_level="ERROR", log_to_driver=False, **options)
            ended.append(None)
        except BaseException as error:
            ray.shutdown()
            ended.append(error)

    thread = threading.Thread(target=join, name="lethe-join", daemon=True)
    thread.start()
    thread.join(JOIN_S)
    if not ended:
        raise ClusterFailedError(f"the Ray cluster {head} answers, and could not be joined in {JOIN_S:g} s")
    if ended[0] is not None:
        raise ClusterError(f"cannot join the Ray cluster {head}: {ended[0]}") from ended[0]


def _raylet_socket() -> str:
    """Return the path of the socket of the raylet that this process is joined to."""
    here = ray.get_runtime_context().get_node_id()
    return next(str(node["RayletSocketName"]) for node in ray.nodes() if node["NodeID"] == here)
