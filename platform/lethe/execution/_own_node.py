"""A Ray node on this machine for this process alone: started in a separate process, and retried if that fails.

See `_keeper`, the program that starts and keeps it.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lethe.execution import _ray_private
from lethe.execution.failures import ClusterError, ClusterFailedError
from lethe.execution.leftovers import Mark

START_S: Final = 120.0
"""A node that is not up by then will not come up; it takes seconds, on a busy machine a minute."""

TRIES: Final = 3

SERVICES: Final = ("gcs_server", "raylet")

LOOK_S: Final = 0.2
"""Seconds between two looks at the services while they start."""

END_S: Final = 10.0
"""How long a node may take to end by itself."""

SOCKET_BYTES: Final = 107
"""Longest path of a socket, in bytes, that the kernel takes."""

_LONGEST_SOCKET: Final = "/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
_SETTINGS: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_prestart_worker_first_driver": "0"}
"""Ray would let nobody join before a first worker is up: for ever, if that one died."""

_KEEPER: Final = Path(__file__).with_name("_keeper.py")


class OwnNode:
    """The node, from being made until the end of the ``with`` block.

    Args:
        say: called with a sentence when the start failed and is retried.

    Attributes:
        address: its ``HOST:PORT``.

    Raises:
        ClusterError: its folder's path is too long for sockets.
        ClusterFailedError: it did not come up, however often it was tried.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        check_folder()
        self._mark = Mark.here()
        self.address = self._start(say)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def fault(self) -> str | None:
        """Return what ended the node; None while it is up."""
        if self._keeper.poll() is not None:
            return "the process that keeps Ray on this machine died"
        name = _dead_service(self._keeper.pid)
        return f"Ray's {name} died" if name else None

    def _start(self, say: Callable[[str], None]) -> str:
        for count in range(1, TRIES + 1):
            self._keeper = subprocess.Popen(
                [sys.executable, "-P", str(_KEEPER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._mark.environment() | _SETTINGS,
                start_new_session=True,
            )
            try:
                word, _, rest = self._hear().partition(" ")
            except BaseException:
                self._end()
                raise
            if word == "up":
                return rest
            self._end()
            if count < TRIES:
                say(f"Ray did not start on this machine: {rest}. Trying again ({count + 1} of {TRIES}).")
        raise ClusterFailedError(f"Ray did not start on this machine in {TRIES} attempts; the last time: {rest}")

    def _hear(self) -> str:
        """Read what the keeper says of the start, or make up the report of one that died or hangs."""
        assert self._keeper.stdout is not None
        until, said = time.monotonic() + START_S, b""
        while not said.endswith(b"\n"):
            readable, _, _ = select.select([self._keeper.stdout], [], [], LOOK_S)
            if readable:
                read = os.read(self._keeper.stdout.fileno(), 1)
                if not read:
                    return "failed the process that starts it died"
                said += read
            elif name := _dead_service(self._keeper.pid):
                return f"failed Ray's {name} died"
            elif time.monotonic() > until:
                return f"failed it was not up in {START_S:g} s"
        return said.decode().strip()

    def _end(self) -> None:
        """End the node; what does not end by itself is killed with all that it has started."""
        assert self._keeper.stdin is not None and self._keeper.stdout is not None
        self._keeper.terminate()
        try:
            self._keeper.wait(END_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        self._keeper.stdin.close()
        self._keeper.stdout.close()
        self._mark.end_processes()


def _dead_service(keeper: int) -> str | None:
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


def check_folder() -> None:
    """Check that a Ray node's folder leaves room for the paths of its sockets.

    Raises:
        ClusterError: they have not.
    """
    folder = _ray_private.temporary_folder()
    longest = SOCKET_BYTES - len(_LONGEST_SOCKET)
    if len(os.fsencode(folder)) > longest:
        variable = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
        room = longest - len("/ray")
        raise ClusterError(
            f"cannot start Ray on this machine: {variable} is {os.environ.get(variable)}, a path too long for the "
            f"sockets that Ray keeps there; set RAY_TMPDIR to a path of at most {room} bytes, such as /tmp"
        )
