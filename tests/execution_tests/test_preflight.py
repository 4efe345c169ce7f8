"""What joins a cluster sees first that all its nodes can do the work; a node that cannot is named."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

StartNode = Callable[..., dict[str, str]]

JOIN = """
import sys
import ray
from lethe.execution.connect import connect
from lethe.execution.failures import ClusterError
from lethe.execution.preflight import preflight
from lethe.storage.root import StorageRoot

root = StorageRoot.at(sys.argv[2]).prepared()  # as a run does
with connect(sys.argv[1]):
    try:
        preflight(root)
        print(root.names(recursive=True), ray.get(ray.remote(lambda: __import__("lethe").__file__).remote()))
    except ClusterError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def head(start_head: StartNode) -> dict[str, str]:
    return start_head("--include-dashboard=false", "--num-gpus=1")


def joined(address: str, results: Path, environment: dict[str, str]) -> list[str]:
    """Joins the cluster in a process of its own, and gives the lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", JOIN, address, str(results)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_node_that_fits_passes_and_runs_the_code_that_was_sent(
    head: dict[str, str], address: str, tmp_path: Path
) -> None:
    [line] = joined(address, tmp_path / "results", head)
    assert line.startswith("['.lethe-place'] ")
    assert "/runtime_resources/py_modules_files/" in line


def test_nodes_that_do_not_fit_are_named(
    head: dict[str, str], address: str, start_node: StartNode, tmp_path: Path
) -> None:
    other_torch = tmp_path / "other" / "torch-1.0.0.dist-info"
    other_torch.mkdir(parents=True)
    (other_torch / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1.0.0\n")
    results = tmp_path / "results"
    results.mkdir()
    start_node(
        f"--address={address}",
        "--num-cpus=1",
        prefix=("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(results)),
        PYTHONPATH=str(other_torch.parent),
    )
    first, other, unseen = joined(address, results, head)
    host = os.uname().nodename
    assert first == "these nodes of the cluster cannot do this work:"
    assert other == f"  {host}: torch 1.0.0, here {torch.__version__}"
    assert unseen.startswith(f"  {host}: it does not see the results folder {results} (cannot read .preflight.")
    assert f"On {host} the folder is gone or is another one" in unseen
    assert unseen.endswith("a shared folder at the same path, or a URI such as s3://BUCKET/FOLDER")
