"""One attempt to start a Ray node on this machine: now, or ahead, beside the imports of what will use it.

Neither Ray nor torch is imported here, since a start ahead is to begin before they are.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lethe.execution import ray_settings
from lethe.execution.leftovers import Mark

START_S: Final = 120.0
"""A node that is not up by then will not come up; it takes seconds, on a busy machine a minute."""

SERVICES: Final = ("gcs_server", "raylet")

LOOK_S: Final = 0.2
"""Seconds between two looks at the services while they start."""

END_S: Final = 10.0
"""How long a node may take to end by itself."""

_SETTINGS: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_prestart_worker_first_driver": "0"}
"""Ray would let nobody join before a first worker is up: for ever, if that one died."""

_KEEPER: Final = Path(__file__).with_name("_keeper.py")


class NodeStart:
    """One attempt to start a node, which goes on in a process of its own, the keeper.

    Attributes:
        keeper: it keeps the node once that is up.
    """

    def __init__(self) -> None:
        self._mark = Mark.here()
        self.keeper = subprocess.Popen(
            [sys.executable, "-P", str(_KEEPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._mark.environment() | _SETTINGS,
            start_new_session=True,
        )

    def report(self) -> str:
        """Wait for what the keeper says of the start, or make up the report of one that died or hangs."""
        assert self.keeper.stdout is not None
        until, said = time.monotonic() + START_S, b""
        while not said.endswith(b"\n"):
            readable, _, _ = select.select([self.keeper.stdout], [], [], LOOK_S)
            if readable:
                read = os.read(self.keeper.stdout.fileno(), 1)
                if not read:
                    return "failed the process that starts it died"
                said += read
            elif name := dead_service(self.keeper.pid):
                return f"failed Ray's {name} died"
            elif time.monotonic() > until:
                return f"failed it was not up in {START_S:g} s"
        return said.decode().strip()

    def end(self) -> None:
        """End the node; what does not end by itself is killed with all that it has started."""
        self.keeper.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.keeper.wait(END_S)
        self.kill()

    def kill(self) -> None:
        """Kill the keeper and all that it has started."""
        assert self.keeper.stdin is not None and self.keeper.stdout is not None
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdin.close()
        self.keeper.stdout.close()
        self._mark.end_processes()


_ahead: list[NodeStart] = []
"""A start that was begun before a node was asked for, and was not taken; at most one."""


@contextmanager
def starting_ahead() -> Iterator[None]:
    """Begin to start a node, which the first `OwnNode` of this process takes over; kill it if none does."""
    ray_settings.demand_token()
    _ahead.append(NodeStart())
    try:
        yield
    finally:
        if start := begun_ahead():
            start.kill()


def begun_ahead() -> NodeStart | None:
    """Return the start that was begun ahead, once; None where there is none."""
    return _ahead.pop() if _ahead else None


def dead_service(keeper: int) -> str | None:
    """Name a service of Ray's that the keeper has started and that has ended."""
    for task in Path(f"/proc/{keeper}/task").glob("*"):
        for child in _read(task / "children").split():
            head, _, tail = _read(Path("/proc") / child / "stat").rpartition(")")
            name = head.partition("(")[2]
            if name in SERVICES and tail.split()[0] in "ZX":
                return name
    return None


def _read(path: Path) -> str:
    """Read a file of /proc; empty for a process or thread that is gone."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
