"""The command in processes of its own, each forked from one that has imported what a run imports.

Python with torch, Ray and Optuna takes four seconds of processor time to start, most of what a small run costs its
driver. A forked process has its own environment, session, signals and exit as one that is started anew.
"""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

IMPORTED = (
    "lethe.cli",
    "lethe.pipeline.api",
    "lethe.execution.connect",
    "lethe.report.plan",
    "lethe.search.tune",
)

_CONTEXT = multiprocessing.get_context("forkserver")


def prepare() -> None:
    """Start the process that the others are forked from."""
    _CONTEXT.set_forkserver_preload(list(IMPORTED))
    forkserver.ensure_running()


@dataclass(frozen=True)
class Fault:
    """Happens before the first event of a kind that is about a path.

    Attributes:
        event: an audit event of Python's, such as `os.rename`.
        about: a part of its path.
        fills: a folder whose disk is filled; None: the process is killed.
    """

    event: str
    about: str
    fills: Path | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != self.event or self.about not in str(arguments[0]):
            return
        if self.fills is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            fill(self.fills)


def fill(folder: Path) -> None:
    """Fill the disk that a folder is on, but for less than a page."""
    with suppress(OSError), (folder / "fill").open("ab", buffering=0) as stream:
        while True:
            stream.write(bytes(1 << 12))


class ForkedLethe:
    """A process of the command, used as `subprocess.Popen` is: its errors go to its output.

    Args:
        arguments: of the command.
        environment: all of the process's.
        new_session: whether it leads a session of its own, as in a terminal of its own.
        folder: its working directory; None: that of the tests.
        fault: what happens to the process at some moment; None: nothing does.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        new_session: bool = False,
        folder: str | None = None,
        fault: Fault | None = None,
    ) -> None:
        reader, writer = _CONTEXT.Pipe(duplex=False)
        told = (writer, list(arguments), dict(environment), new_session, folder, fault)
        self._process = _CONTEXT.Process(target=_run, args=told, daemon=True)
        self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stdout.close()
        self.wait()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("lethe", timeout or 0.0)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.append(self.stdout.read()), daemon=True)
        reader.start()
        reader.join(timeout)
        if not said:
            raise subprocess.TimeoutExpired("lethe", timeout or 0.0)
        self.stdout.close()
        self.wait(timeout)
        return said[0], None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it may end meanwhile
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def ended(process: ForkedLethe) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and what it printed."""
    output, _ = process.communicate(timeout=500)
    assert process.returncode is not None
    return process.returncode, output


def _run(
    output: Connection,
    arguments: list[str],
    environment: dict[str, str],
    new_session: bool,
    folder: str | None = None,
    fault: Fault | None = None,
) -> None:
    """Be a process of the command from its beginning to its end."""
    if new_session:
        os.setsid()
    if folder is not None:
        os.chdir(folder)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(output.fileno(), stream.fileno())
    output.close()
    missing = set(IMPORTED) - sys.modules.keys()
    assert not missing, f"not there before the fork: {missing}"
    os.environ.clear()
    os.environ.update(environment)
    from lethe.cli import main
    from lethe.execution import _ray_private, ray_settings

    ray_settings.prepare()
    _ray_private.reload_authentication()
    sys.argv = ["-c", *arguments]
    if fault is not None:
        sys.addaudithook(fault)
    try:
        main()
    finally:
        atexit._run_exitfuncs()
