"""Connects to a Ray cluster (a new one on this machine, or one by address), or to none at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
import ray._private.worker

from lethe import ray_environment
from lethe.cluster._address import find_head
from lethe.cluster._causes import ClusterError
from lethe.cluster._connection import Connection, Local, OnRay
from lethe.cluster._luggage import luggage
from lethe.cluster._muster import muster
from lethe.place import Place


@contextmanager
def connect(
    address: str | None = None, *, local: bool = False, workers: int | None = None, place: Place | None = None
) -> Iterator[Connection]:
    """Join what the study runs on, and leave it afterwards.

    Args:
        address: of a running cluster, ``auto`` for the one on this machine; None starts Ray on this machine alone.
        local: run in this process, without Ray.
        workers: the most workers of a kind on Ray; None: as many as it holds.
        place: the results place; with it the nodes of a running cluster are mustered first.

    Raises:
        ClusterError: the cluster cannot be reached, or its nodes are not as this one; see `muster`.
    """
    if local:
        yield Local()
        return
    ray._private.worker.print_to_stdstream = _pass_over
    try:
        if address is None:
            _start()
        else:
            _join(address)
            if place is not None:
                muster(place)
        yield OnRay(workers)
    finally:
        ray.shutdown()


def _start() -> None:
    """Start Ray on this machine, closed to everybody else."""
    ray_environment.demand_token()
    try:
        ray.init(address="local", include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"cannot start Ray on this machine: {error}") from error


def _join(address: str) -> None:
    """Join a running cluster; the code that runs here travels to its workers."""
    head = find_head(address)
    try:
        ray.init(address=head, runtime_env=luggage(), logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"cannot join the Ray cluster {head}: {error}") from error


def _pass_over(data: dict[str, Any], ignore_prefix: bool) -> None:
    """Print nothing of what Ray says of each worker that died, a paragraph whatever is asked of it by `log_to_driver`.

    What becomes of a worker's work is told by whoever dealt it.
    """
