"""Ends a run whose cluster has failed: Ray itself waits for a minute, and then ends the process without a message.

The run may be waiting inside Ray's code, where neither an exception nor a signal arrives. So the guard escalates: it
requests a stop, then interrupts, then ends the process.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from lethe.execution._address import host_and_port
from lethe.execution.failures import ClusterError, ClusterFailedError
from lethe.execution.reach import knock

LOOK_S: Final = 0.5
INTERRUPT_S: Final = 3.0
"""After the request to stop; in a cluster that has failed there is nothing to wait for but what is being written."""

LEAVE_S: Final = 10.0
"""After the interrupt."""

CONFIRM_S: Final = 3.0
"""How long to wait, after an error of Ray's that ended the run, for the sign that the cluster has failed."""

HEAD_LOOK_S: Final = 5.0
"""Seconds between two calls to a head, which has other work."""

HEAD_PATIENCE_S: Final = 30.0
"""How long a head may be out of reach; Ray itself ends the process after a minute."""

EXIT_CODE: Final = 3
"""Exit code of a process that ended because its cluster failed."""

ADVICE: Final = "What had finished is kept; the same command goes on from here."

Sign = Callable[[], str | None]
"""Returns why the cluster has failed; None while it has not."""


@contextmanager
def guarding(signs: list[Sign], on_failure: Callable[[str], None]) -> Iterator[None]:
    """Watch the cluster while inside.

    Args:
        signs: looked at twice a second, in a thread.
        on_failure: called with what failed, in that thread: the work should stop.

    Raises:
        ClusterFailedError: the cluster failed, whatever the work itself raised then.
    """
    guard = _Guard(signs, on_failure)
    guard.start()
    try:
        yield
    except BaseException as error:
        if guard.has_failed(CONFIRM_S if _is_rays(error) else 0.0):
            raise guard.error from error
        raise
    else:
        if guard.has_failed(0.0):
            raise guard.error
    finally:
        guard.end()


def _is_rays(error: BaseException) -> bool:
    """Whether an error may be caused by a failed cluster."""
    return isinstance(error, ClusterError) or type(error).__module__.partition(".")[0] == "ray"


class _Guard:
    """The thread that watches, and what it has seen."""

    def __init__(self, signs: list[Sign], on_failure: Callable[[str], None]) -> None:
        self._signs = signs
        self._on_failure = on_failure
        self._is_main = threading.current_thread() is threading.main_thread()
        self._over = threading.Event()
        self._failed = threading.Event()
        self._fault = ""
        self._thread = threading.Thread(target=self._watch, name="lethe-cluster", daemon=True)

    @property
    def error(self) -> ClusterFailedError:
        return ClusterFailedError(f"The Ray cluster failed: {self._fault}. {ADVICE}")

    def start(self) -> None:
        self._thread.start()

    def has_failed(self, patience_s: float) -> bool:
        return self._failed.wait(patience_s)

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            if fault := next(filter(None, (sign() for sign in self._signs)), None):
                self._fault = fault
                self._failed.set()
                self._on_failure(fault)
                self._see_the_work_end()
                return

    def _see_the_work_end(self) -> None:
        if self._over.wait(INTERRUPT_S):
            return
        if self._is_main:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if not self._over.wait(LEAVE_S):
            self._leave()

    def _leave(self) -> NoReturn:
        sys.stderr.write(f"{self.error}\n")
        sys.stderr.flush()
        os._exit(EXIT_CODE)


def head_gone(head: str) -> Sign:
    """Return the sign that a cluster's head has been out of reach for too long."""
    host, port = host_and_port(head)
    seen_at = looked_at = time.monotonic()

    def sign() -> str | None:
        nonlocal seen_at, looked_at
        if time.monotonic() - looked_at < HEAD_LOOK_S:
            return None
        looked_at = time.monotonic()
        try:
            knock(host, port)
        except OSError:
            late = time.monotonic() - seen_at > HEAD_PATIENCE_S
            return f"its head {head} has been out of reach for {HEAD_PATIENCE_S:g} s" if late else None
        seen_at = time.monotonic()
        return None

    return sign


@contextmanager
def raylet_gone(path: str) -> Iterator[Sign]:
    """Return the sign that the raylet of this machine's node died: it closes the connection that is held to it.

    Args:
        path: of the raylet's socket.
    """
    with socket.socket(socket.AF_UNIX) as held:
        held.connect(path)
        held.setblocking(False)

        def sign() -> str | None:
            try:
                is_closed = held.recv(1) == b""
            except BlockingIOError:
                return None
            except OSError:
                is_closed = True
            return f"the raylet of this machine ({socket.gethostname()}) died" if is_closed else None

        yield sign
