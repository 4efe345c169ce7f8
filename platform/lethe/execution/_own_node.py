"""A Ray node on this machine for this process alone: started in a separate process, and retried if that fails.

See `_node_start` for one attempt, and `_keeper`, the program that starts and keeps it.
"""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from lethe.execution import _ray_private
from lethe.execution._node_start import NodeStart, begun_ahead, dead_service
from lethe.execution.failures import ClusterError, ClusterFailedError

TRIES: Final = 3

SOCKET_BYTES: Final = 107
"""Longest path of a socket, in bytes, that the kernel takes."""

_LONGEST_SOCKET: Final = "/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"


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
        self.address = self._start(say)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._node.end()

    def fault(self) -> str | None:
        """Return what ended the node; None while it is up."""
        if self._node.keeper.poll() is not None:
            return "the process that keeps Ray on this machine died"
        name = dead_service(self._node.keeper.pid)
        return f"Ray's {name} died" if name else None

    def _start(self, say: Callable[[str], None]) -> str:
        for count in range(1, TRIES + 1):
            self._node = begun_ahead() or NodeStart()
            try:
                word, _, rest = self._node.report().partition(" ")
            except BaseException:
                self._node.end()
                raise
            if word == "up":
                return rest
            self._node.end()
            if count < TRIES:
                say(f"Ray did not start on this machine: {rest}. Trying again ({count + 1} of {TRIES}).")
        raise ClusterFailedError(f"Ray did not start on this machine in {TRIES} attempts; the last time: {rest}")


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
