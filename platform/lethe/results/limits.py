"""How much memory and time a query may take: counted from the footers of files before they are read, and in SQL."""

import os
import re
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Final, TypeVar

from lethe.errors import InputError
from lethe.storage.root import StorageError

Answer = TypeVar("Answer")

TIMEOUT_S: Final = 60.0
"""What a query may take by default; the largest queries of Lethe's own take seconds."""
_GRACE_S: Final = 2.0
"""How long to wait for an interrupted query; DuckDB does not check for an interrupt within a long step."""
_ASIDE_BYTES: Final = 1 << 30
"""Address space for threads and libraries, in addition to the query's."""
_PAGES: Final = Path("/proc/self/statm")
_UNITS: Final = {unit + "B": 1000**power for power, unit in enumerate(("", "K", "M", "G", "T"))} | {
    unit + "iB": 1024**power for power, unit in enumerate(("", "K", "M", "G", "T")) if power
}
_CGROUPS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class TooLargeError(StorageError):
    """Rows that would take more memory than they may; the message names the file and how to allow more."""


class Budget:
    """The memory that one reading of a table may take; the threads that read share it."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._lock = Lock()

    def take(self, wanted_bytes: int) -> None:
        """Count what is about to be read.

        Raises:
            TooLargeError: it is more than what is left.
        """
        with self._lock:
            taken_bytes = self._taken_bytes + wanted_bytes
            if taken_bytes > self._limit_bytes:
                raise TooLargeError(
                    f"with it the table takes {in_words(taken_bytes)} of memory, and it may take "
                    f"{in_words(self._limit_bytes)}; allow more (`lethe query --memory`, memory= in Python)"
                )
            self._taken_bytes = taken_bytes


def half_of_memory() -> int:
    """Return half of the memory that this machine, or the container around this process, has, in bytes."""
    held = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUPS:
        with suppress(OSError, ValueError):
            held.append(int(Path(path).read_text()))
    return min(held) // 2


def parse_size(text: str) -> int:
    """Read a size such as ``4GB``, ``500 MiB`` or ``0`` as bytes.

    Raises:
        InputError: it is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?i?B)\s*", text)
    if match and match[2] in _UNITS:
        return int(float(match[1]) * _UNITS[match[2]])
    if text.strip() == "0":
        return 0
    raise InputError(f"wanted a size such as 500MB or 4GB, got '{text}'")


def parse_memory(text: str) -> int:
    """Read an amount of memory as `parse_size` reads a size.

    Raises:
        InputError: it is no size, or none above zero.
    """
    size = parse_size(text)
    if size <= 0:
        raise InputError(f"wanted a size such as 500MB or 4GB, got '{text}'")
    return size


def in_words(size_bytes: int) -> str:
    """Write a size as `parse_size` reads it."""
    if size_bytes < 1e6:
        return f"{size_bytes / 1e3:.1f}KB"
    return f"{size_bytes / 1e9:.1f}GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f}MB"


def within(timeout_s: float, work: Callable[[], Answer], interrupt: Callable[[], None]) -> Answer:
    """Do work in a thread of its own, which this one waits for, so that a time limit or Ctrl-C can end it.

    Args:
        interrupt: asks the work to end; called from this thread, and again until it has ended or `_GRACE_S` is over.

    Raises:
        TimeoutError: the work took longer.
    """
    future: Future[Answer] = Future()
    Thread(target=_fulfil, args=(future, work), daemon=True).start()
    try:
        wait([future], timeout_s)
    except BaseException:
        _end(future, interrupt)
        raise
    if not future.done():
        _end(future, interrupt)
        raise TimeoutError
    return future.result()


def _fulfil(future: "Future[Answer]", work: Callable[[], Answer]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def _end(future: "Future[Answer]", interrupt: Callable[[], None]) -> None:
    for _ in range(20):
        interrupt()
        if wait([future], _GRACE_S / 20).done:
            return


@contextmanager
def address_space(extra_bytes: int) -> Iterator[None]:
    """Limit how much more memory this process may take, where the system reports its use.

    What DuckDB does not count, such as one value of gigabytes, and what Python makes of an answer then end in an error
    rather than in a killed process.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if _PAGES.exists():
        held_bytes = int(_PAGES.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        limits = [one for one in (soft, hard) if one != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([held_bytes + extra_bytes + _ASIDE_BYTES, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
