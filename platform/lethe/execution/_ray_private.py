"""Every use of Ray's private interfaces: one function each, which says what it relies on.

Checked against the versions of Ray that pyproject.toml admits, by `tests/execution_tests/test_ray_private.py`. Nothing
of Lethe's is imported and Ray only where it is used, so that `_keeper`, a program of its own, can load this file alone.
"""

import os
from pathlib import Path
from typing import Any, Final

_CHECK: Final = "/ray.rpc.NodeInfoGcsService/CheckAlive"
"""What `ray health-check` asks of a head."""

_JOB_VARIABLE: Final = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Where Ray notes, for the driver of a submitted job and all that it starts, which job they belong to."""


def start_node() -> Any:
    """Start a head in this process's name, and return it: it has ``address`` and ``kill_all_processes``.

    `ray start --head` would do the same but note the node as this machine's cluster, for everybody's ``auto``, and not
    say when a service died. Relies on `Node`, which raises where a service does not start, ends its services with this
    process (``spawn_reaper``), and writes no note of the cluster (``ray_init_cluster``).

    The node has no dashboard, does not scale and prints no worker's log: it runs without the processes for these.
    ``include_dashboard=False`` alone starts the dashboard's server without its pages, for usage statistics, which
    takes a second to be up. Relies on `Node.start_api_server` being what starts it.

    Each worker is started by `_setup_worker`. Relies on ``setup_worker_path`` naming the program that gets the worker's
    own, with its arguments.
    """
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    class Head(Node):  # type: ignore[misc] # untyped
        def start_api_server(self, **options: Any) -> None:
            """Start none."""
            self._webui_url = ""

    return Head(
        RayParams(
            include_dashboard=False,
            include_log_monitor=False,
            no_monitor=True,
            setup_worker_path=str(Path(__file__).with_name("_setup_worker.py")),
        ),
        head=True,
        shutdown_at_exit=False,
        spawn_reaper=True,
        ray_init_cluster=True,
    )


def end_node(node: Any) -> None:
    """End a node that `start_node` started, and wait for its services."""
    node.kill_all_processes(check_alive=False, allow_graceful=True)


def temporary_folder() -> str:
    """Return the folder in which Ray makes one a session: ``ray`` under RAY_TMPDIR, else the system's temporary one."""
    from ray._common.utils import get_default_ray_temp_dir

    return str(get_default_ray_temp_dir())


def note_of_cluster() -> tuple[str, str | None]:
    """Return the file in which `ray start` notes the cluster of this machine, and the ``HOST:PORT`` in it, if any."""
    from ray._common.utils import get_ray_address_file
    from ray._private.utils import read_ray_address

    return str(get_ray_address_file(None)), read_ray_address()


def ask_version(head: str, timeout_s: float) -> str:
    """Return the Ray version of a head, asked with the token that this process uses.

    Relies on the request of `ray health-check`, whose answer names the version, and on Ray's own channel, which adds
    the token and TLS.

    Raises:
        grpc.RpcError: no answer in time; UNAUTHENTICATED where the head wants another token, or one at all.
    """
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated.gcs_service_pb2 import CheckAliveReply, CheckAliveRequest

    with init_grpc_channel(head, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary(
            _CHECK,
            request_serializer=CheckAliveRequest.SerializeToString,
            response_deserializer=CheckAliveReply.FromString,
        )
        version: str = call(CheckAliveRequest(), timeout=timeout_s).ray_version
    return version


def reload_authentication() -> None:
    """Have Ray read RAY_AUTH_MODE and the token again: it keeps what it read when it was first imported."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def silence_dead_workers() -> None:
    """Suppress Ray's paragraph about each worker that died, which ``log_to_driver`` does not affect.

    Whoever scheduled the work reports what happened to it. Relies on `ray._private.worker` printing such messages by
    the function of this name that its module holds at that moment.
    """
    import ray._private.worker as worker

    worker.print_to_stdstream = _pass_over


def _pass_over(data: dict[str, Any], ignore_prefix: bool) -> None:
    """Print nothing."""


def environment_without_job() -> dict[str, str]:
    """Return this process's environment without the job that it is the driver of.

    Relies on `ray.init` taking the job's configuration, with all that travels along, from a variable of this name.
    """
    return {name: value for name, value in os.environ.items() if name != _JOB_VARIABLE}
