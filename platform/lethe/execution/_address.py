"""Finds a cluster's head and sees, in one call, whether it lets this process in.

Ray itself tries for half a minute, printing a line a second, and for minutes where an address is stale.
"""

import logging
import os
import socket

import grpc
import ray
from ray._common.utils import get_ray_address_file
from ray._private.grpc_utils import init_grpc_channel
from ray._private.utils import read_ray_address
from ray.core.generated.gcs_service_pb2 import CheckAliveReply, CheckAliveRequest

from lethe.execution import ray_settings
from lethe.execution.failures import ClusterError

KNOCK_S = 5.0

WORKER_PORTS = range(10002, 20000)
"""Where Ray's workers listen unless `ray start` is told otherwise."""

CHECK = "/ray.rpc.NodeInfoGcsService/CheckAlive"
"""What `ray health-check` asks of a head; the answer names its Ray version."""

GIVE_TOKEN = "give the cluster's own by RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"


def find_head(address: str) -> str:
    """Find the head at an address and see that it lets this process in, with the token or, where it is open, without.

    Args:
        address: ``HOST:PORT``, or ``auto`` for the cluster that RAY_ADDRESS names, else `ray start` on this machine.

    Returns:
        The head's ``HOST:PORT``.

    Raises:
        ClusterError: the address has another form, no Ray head answers there, its token is another, or its Ray is.
    """
    head = _of_this_machine() if address == "auto" else address
    shown = head if head == address else f"{head} (found by {address})"
    _knock(head, shown)
    version = _ask(head, shown)
    if version != ray.__version__:
        raise ClusterError(
            f"the Ray cluster {shown} runs Ray {version}, and this is Ray {ray.__version__}: both must be the same; "
            f"pip install ray=={version} here, or start the cluster with {ray.__version__}"
        )
    return head


def _of_this_machine() -> str:
    """Give the cluster that the environment names, or that ``ray start`` noted; never one of somebody else's."""
    found = os.environ.get("RAY_ADDRESS") or read_ray_address()
    if found in (None, "auto"):
        raise ClusterError(
            f"auto finds no Ray cluster: neither RAY_ADDRESS nor {get_ray_address_file(None)} names one; start one "
            "with `ray start --head`, name its head as HOST:PORT, or leave --address out to run on this machine alone"
        )
    return str(found)


def _knock(head: str, shown: str) -> None:
    host, colon, port = head.rpartition(":")
    if not (colon and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ClusterError(
            f"cannot join the Ray cluster {shown}: wanted auto or HOST:PORT, such as 10.0.0.1:6379, with a port of at "
            "most 65535"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    except OSError as error:
        raise ClusterError(
            f"cannot join the Ray cluster {shown}: nobody answers ({error}); see that the head runs and that its port "
            f"is open{_hint(int(port))}"
        ) from error


def _ask(head: str, shown: str) -> str:
    """Ask the head for its Ray version, first without a token: that tells an open cluster from a closed one."""
    ray_settings.set_mode("disabled")
    try:
        version = ask_version(head)
    except grpc.RpcError as error:
        _see_that_it_is_ray(error, shown)
    else:
        logging.getLogger(__name__).warning(
            "The Ray cluster %s demands no token: whoever reaches its ports can run code on it.", shown
        )
        return version
    ray_settings.set_mode("token")
    if not ray_settings.has_token():
        raise ClusterError(f"the Ray cluster {shown} demands its token, and there is none here: {GIVE_TOKEN}")
    try:
        return ask_version(head)
    except grpc.RpcError as error:
        _see_that_it_is_ray(error, shown)
        raise ClusterError(f"the Ray cluster {shown} has another token than is given here: {GIVE_TOKEN}") from error


def ask_version(head: str) -> str:
    with init_grpc_channel(head, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary(
            CHECK,
            request_serializer=CheckAliveRequest.SerializeToString,
            response_deserializer=CheckAliveReply.FromString,
        )
        version: str = call(CheckAliveRequest(), timeout=KNOCK_S).ray_version
    return version


def _see_that_it_is_ray(error: grpc.RpcError, shown: str) -> None:
    """Go on where a head has refused the token, or its absence; tell of anything else."""
    if error.code() != grpc.StatusCode.UNAUTHENTICATED:
        raise ClusterError(
            f"cannot join the Ray cluster {shown}: what answers there is no Ray head ({error.details()}); wanted the "
            "head's own port, 6379 unless it was started with another, not the dashboard's"
            f"{_hint(int(shown.partition(' ')[0].rpartition(':')[2]))}"
        ) from error


def _hint(port: int) -> str:
    """Return a clause on a port that is hardly a head's: ``ray start`` refuses one that it keeps for workers."""
    if port not in WORKER_PORTS:
        return ""
    return f"; ports {WORKER_PORTS[0]} to {WORKER_PORTS[-1]} are those of Ray's workers, where no head is started"
