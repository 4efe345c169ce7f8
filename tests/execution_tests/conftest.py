"""Ray nodes as `ray start` starts them, in the foreground, each test module's own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

StartNode = Callable[..., dict[str, str]]
SPARED = ("--include-log-monitor=false", "--no-monitor")
"""Lethe prints no worker's log, and these clusters do not scale: they need no processes for that."""


@pytest.fixture(scope="module")
def start_node(ray_environment: dict[str, str]) -> Iterator[StartNode]:
    """Starts a node with options of `ray start`, ends it after the module's tests, and gives its environment."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, prefix: tuple[str, ...] = (), **changes: str) -> dict[str, str]:
        environment = ray_environment | {
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        environment |= changes
        process = subprocess.Popen(
            [
                *prefix,
                "ray",
                "start",
                "--block",
                "--disable-usage-stats",
                "--dashboard-agent-listen-port=0",
                *SPARED,
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
            cwd="/",
        )
        started.append(process)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "will now block forever" in line:
                return environment
        pytest.fail("".join(said))

    yield start
    for process in reversed(started):
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def start_head(start_node: StartNode) -> StartNode:
    """Starts a head of two cores, which `auto` finds in its environment."""

    def start(*options: str) -> dict[str, str]:
        return start_node("--head", "--port=0", "--num-cpus=2", *options, RAY_TMPDIR=tempfile.mkdtemp(prefix="lr-"))

    return start


@pytest.fixture
def address(head: dict[str, str]) -> str:
    """Where the module's head listens."""
    return (Path(head["RAY_TMPDIR"]) / "ray" / "ray_current_cluster").read_text()
