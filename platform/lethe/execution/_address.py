"""Finds a cluster's head and checks whether it lets this process in.

Ray itself retries for half a minute, printing a line a second, and for minutes if an address is stale.
"""

import logging
import os

import grpc
import ray

from lethe.execution import _ray_private, ray_settings
from lethe.execution.failures import ClusterError
from lethe.execution.reach import KNOCK_S, knock

WORKER_PORTS = range(10002, 20000)
"""Where Ray's workers listen unless `ray start` says otherwise."""


def find_head(address: str) -> str:
    """Find the head at an address and check that it lets this process in, with the token or, where it is open, without.

    Args:
        address: ``HOST:PORT``, or ``auto`` for the cluster that RAY_ADDRESS names, else `ray start` on this machine.

    Returns:
        The head's ``HOST:PORT``.

    Raises:
        ClusterError: the address has another form, no Ray head answers there, its token is another, or its Ray is.
    """
    head = _of_this_machine() if address == "auto" else address
    shown = head if head == address else f"{head} (found by {address})"
    _check_listens(head, shown)
    version = _ask(head, shown)
    if version != ray.__version__:
        raise ClusterError(
            f"the Ray cluster {shown} runs Ray {version}, and this is Ray {ray.__version__}: both must be the same; "
            f"pip install ray=={version} here, or start the cluster with {ray.__version__}"
        )
    return head


def _of_this_machine() -> str:
    """Return the cluster that the environment names, or that ``ray start`` noted; never another user's."""
    note, noted = _ray_private.note_of_cluster()
    found = os.environ.get("RAY_ADDRESS") or noted
    if found in (None, "auto"):
        raise ClusterError(
            f"auto finds no Ray cluster: neither RAY_ADDRESS nor {note} names one; start one "
            "with `ray start --head`, name its head as HOST:PORT, or leave --address out to run on this machine alone"
        )
    return str(found)


def host_and_port(head: str) -> tuple[str, int]:
    """Split ``HOST:PORT``; the port is 0 where it is missing or impossible."""
    host, _, port = head.rpartition(":")
    fits = host and port.isdecimal() and int(port) < 1 << 16
    return host.strip("[]"), int(port) if fits else 0


def _check_listens(head: str, shown: str) -> None:
    host, port = host_and_port(head)
    if port == 0:
        raise ClusterError(
            f"cannot join the Ray cluster {shown}: wanted auto or HOST:PORT, such as 10.0.0.1:6379, with a port of at "
            "most 65535"
        )
    try:
        knock(host, port)
    except OSError as error:
        raise ClusterError(
            f"cannot join the Ray cluster {shown}: nobody answers ({error}); see that the head runs and that its port "
            f"is open{_hint(port)}"
        ) from error


def _ask(head: str, shown: str) -> str:
    """Ask the head for its Ray version, first without a token: that shows whether it is open."""
    ray_settings.set_mode("disabled")
    try:
        version = _ray_private.ask_version(head, KNOCK_S)
    except grpc.RpcError as error:
        _check_is_ray(error, shown)
    else:
        logging.getLogger(__name__).warning(
            "The Ray cluster %s demands no token: whoever reaches its ports can run code on it.", shown
        )
        return version
    ray_settings.set_mode("token")
    if not ray_settings.has_token():
        raise ClusterError(
            f"the Ray cluster {shown} demands its token, and there is none here: {ray_settings.SET_TOKEN}"
        )
    try:
        return _ray_private.ask_version(head, KNOCK_S)
    except grpc.RpcError as error:
        _check_is_ray(error, shown)
        raise ClusterError(
            f"the Ray cluster {shown} has another token than is given here: {ray_settings.SET_TOKEN}"
        ) from error


def _check_is_ray(error: grpc.RpcError, shown: str) -> None:
    """Return where a head has refused the token, or its absence; raise on anything else."""
    if error.code() != grpc.StatusCode.UNAUTHENTICATED:
        raise ClusterError(
            f"cannot join the Ray cluster {shown}: what answers there is no Ray head ({error.details()}); wanted the "
            "head's own port, 6379 unless it was started with another, not the dashboard's"
            f"{_hint(host_and_port(shown.partition(' ')[0])[1])}"
        ) from error


def _hint(port: int) -> str:
    """Return a hint for a port that cannot be a head's: ``ray start`` refuses those that it keeps for workers."""
    if port not in WORKER_PORTS:
        return ""
    return f"; ports {WORKER_PORTS[0]} to {WORKER_PORTS[-1]} are those of Ray's workers, where no head is started"
