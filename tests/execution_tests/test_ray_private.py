"""What Lethe leans on in Ray without a promise: each use, against the Ray that is installed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
import ray
from ray._private.accelerators import NvidiaGPUAcceleratorManager
from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE

from lethe.execution import _ray_private, ray_settings
from lethe.execution.device import accelerator_type
from lethe.submit._bundle import LIMIT_BYTES

JOIN = """
import sys
import threading
import ray
import ray._private.worker
from lethe.execution import _ray_private

ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
if sys.argv[2] == "silent":
    _ray_private.silence_dead_workers()
shown, came = ray._private.worker.print_to_stdstream, threading.Event()

def show(data, ignore_prefix):
    shown(data, ignore_prefix)
    if "A worker died or was killed" in str(data["lines"]):
        came.set()

ray._private.worker.print_to_stdstream = show

@ray.remote(max_retries=0)
def die():
    import os
    os._exit(1)

try:
    ray.get(die.remote())
except ray.exceptions.WorkerCrashedError:
    assert came.wait(60), "Ray told of no dead worker"
here = ray.get_runtime_context().get_node_id()
sockets = [node["RayletSocketName"] for node in ray.nodes() if node["NodeID"] == here]
assert sockets == [ray._private.worker._global_node.raylet_socket_name], sockets
"""

StartNode = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def head(start_head: StartNode) -> dict[str, str]:
    return start_head("--include-dashboard=false")


@pytest.fixture
def joined(head: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The token and the folder of the module's cluster."""
    for name, value in head.items():
        monkeypatch.setenv(name, value)
    ray_settings.set_mode("token")


def test_a_head_names_its_version(joined: None, address: str) -> None:
    assert _ray_private.ask_version(address, 30) == ray.__version__


def test_a_head_refuses_whoever_has_no_token_or_another(
    joined: None, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    for mode in ("token", "disabled"):
        ray_settings.set_mode(mode)
        with pytest.raises(grpc.RpcError) as refused:
            _ray_private.ask_version(address, 30)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_ray_start_notes_its_cluster_in_the_temporary_folder(joined: None, head: dict[str, str], address: str) -> None:
    assert _ray_private.temporary_folder() == str(Path(head["RAY_TMPDIR"]) / "ray")
    assert _ray_private.note_of_cluster() == (str(Path(head["RAY_TMPDIR"]) / "ray" / "ray_current_cluster"), address)


def test_no_note_is_no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert _ray_private.note_of_cluster() == (str(tmp_path / "ray" / "ray_current_cluster"), None)


@pytest.mark.parametrize("mode", ["silent", "loud"])
def test_what_ray_says_of_a_worker_that_died_is_silenced(head: dict[str, str], address: str, mode: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", JOIN, address, mode],
        capture_output=True,
        text=True,
        env=os.environ | head,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("A worker died or was killed" in done.stdout + done.stderr) == (mode == "loud")


def test_the_job_of_a_driver_is_left_out_of_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR

    before = dict(os.environ)
    monkeypatch.setenv(RAY_JOB_CONFIG_JSON_ENV_VAR, "{}")
    assert _ray_private.environment_without_job() == before


def test_a_job_server_takes_as_many_bytes_as_an_archive_may_have() -> None:
    assert LIMIT_BYTES == DASHBOARD_CLIENT_MAX_SIZE


@pytest.mark.parametrize(
    ("device_name", "expected"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("Tesla T4", "T4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA RTX PRO 6000 Blackwell", "RTX-PRO-6000"),
        ("NVIDIA GeForce RTX 5090", "GeForce-RTX-5090"),
    ],
)
def test_gpus_are_named_as_ray_names_them(device_name: str, expected: str) -> None:
    assert accelerator_type(device_name) == expected
    assert NvidiaGPUAcceleratorManager._gpu_name_to_accelerator_type(device_name) == expected
