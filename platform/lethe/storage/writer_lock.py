"""One writer a study: a lock file among the results, which a run holds while it works and others wait for.

The lock is a file that says who holds it, with a count that its holder raises every few seconds. Clocks of machines
differ and jump, so nobody compares them: who waits watches the count, and a holder whose count is unchanged for
`DEAD_S` seconds of the watcher's own monotonic clock is dead. So is one of this machine whose process is gone, and that
is seen at once.

One of several creates the file, one of several replaces a dead holder's, and a holder counts only while the file is its
own: see `StorageRoot.create` and `StorageRoot.replace`. A holder that finds another's name stops: it was suspended or
cut off, and was taken for dead. Until it looks, two runs overlap for seconds, which costs work but no result: a study's
units are the same whoever makes them.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Self
from uuid import uuid4

from pydantic import Field, NonNegativeInt
from pydantic.dataclasses import dataclass

from lethe.errors import LetheError
from lethe.storage.documents import STRICT, MalformedError, read_json
from lethe.storage.layout import Layout, lock_name, study_of_lock
from lethe.storage.root import StorageError, StorageRoot

LOOK_S: Final = 1.0
"""Seconds between two looks of a run that waits."""

RENEW_S: Final = 5.0
"""Seconds between two counts of a holder."""

DEAD_S: Final = 60.0
"""A holder whose count is unchanged for this long is dead."""

GIVE_UP_S: Final = 30.0
"""A holder that could not count for this long stops, well before others may think it dead."""

LEASE_LIMIT_BYTES: Final = 1 << 16

Word = Annotated[str, Field(max_length=255, pattern=r"^[^\p{Cc}]*$")]
"""Text without control characters."""

ProcessNumber = Annotated[int, Field(gt=0, lt=1 << 31)]


@dataclass(frozen=True, config=STRICT)
class Holder:
    """Who holds a lock.

    Attributes:
        id: one for each holding.
        host, pid: its machine's name and its process, for people.
        machine: the running system that the process number belongs to; empty where that is unknown.
        started: when the process was started, in the system's own count, since process numbers are used again.
        since: when it took the lock, for people.
        count: raised while it lives.
    """

    id: Word
    host: Word
    pid: ProcessNumber
    machine: Word
    started: Word
    since: Word
    count: NonNegativeInt = 0

    @classmethod
    def here(cls) -> Self:
        """This process, now."""
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        _, started = _process(os.getpid()) or ("", "")
        return cls(uuid4().hex, socket.gethostname(), os.getpid(), _machine(), started, since)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Read who holds a lock.

        Raises:
            MalformedError: the text is no lock.
        """
        return read_json(cls, text)

    def text(self) -> bytes:
        """Write the lock's file."""
        return json.dumps(asdict(self), indent=1).encode()

    @property
    def gone(self) -> bool:
        """Return whether its process was on this machine and has ended; False where that cannot be seen from here."""
        if not self.machine or self.machine != _machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        state, started = _process(self.pid) or ("", self.started)
        return state in ("Z", "X") or started != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


class StudyHeldError(LetheError):
    """A study has a writer already.

    Attributes:
        holder: who that is, in words.
    """

    def __init__(self, study: str, holder: str) -> None:
        super().__init__(f"the study {study} is being run by {holder}")
        self.holder = holder


@contextmanager
def writing_study(
    root: StorageRoot, study: str, *, say: Callable[[str], None] | None = None, on_lost: Callable[[str], None]
) -> Iterator[None]:
    """Hold a study's writer lock while inside; wait for it first, and release it at the end.

    Args:
        root: the results, preferably prepared.
        say: called once, with who has the study while this waits, or that nobody can read who; None: do not wait.
        on_lost: called, in another thread, with why the lock was lost; the work should stop.

    Raises:
        StudyHeldError: another has the study, and this is not to wait.
        StorageError: the lock can be neither read nor written.
    """
    lock = _Lock(Layout(root).locks, lock_name(study))

    def tell(holder: str, until: str) -> None:
        if say is None:
            raise StudyHeldError(study, holder)
        say(f"The study {study} is being run by {holder}: waiting {until}")

    lock.take(tell)
    over = threading.Event()
    renewer = threading.Thread(target=lock.renew, args=(over, on_lost), name="lethe-lock", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        over.set()
        renewer.join()
        lock.release()


def studies_held(root: StorageRoot) -> dict[str, str]:
    """Return the studies whose lock somebody has, with who, in words; one who has certainly ended does not count.

    Nothing is waited for, so a holder of another machine that died counts until a run takes its lock over.

    Raises:
        StorageError: the locks cannot be read.
    """
    held = {}
    locks = Layout(root).locks
    for name in locks.names(".json"):
        with suppress(FileNotFoundError):
            found = locks.read(name, LEASE_LIMIT_BYTES)
            holder = _holder(found)
            if holder is None or not holder.gone:
                held[study_of_lock(name)] = str(holder or "a run whose lock cannot be read")
    return held


class _Lock:
    """One lock file, and this process as its holder."""

    def __init__(self, root: StorageRoot, name: str) -> None:
        self._root = root
        self._name = name
        self._me = Holder.here()

    def take(self, tell: Callable[[str, str], None]) -> None:
        """Wait until the lock is ours.

        Args:
            tell: called once, with who runs the study and until when this waits.
        """
        watched, seen_at, told = b"", time.monotonic(), False
        while True:
            found = self._read()
            if found is None:
                if self._root.create(self._name, self._me.text()):
                    return
                continue
            if found != watched:
                watched, seen_at = found, time.monotonic()
            holder = _holder(found)
            if (holder is not None and holder.gone) or time.monotonic() - seen_at > DEAD_S:
                if self._root.replace(self._name, found, self._me.text()):
                    return
                continue
            if not told:
                told = True
                tell(*self._described(found))
            time.sleep(LOOK_S)

    def renew(self, over: threading.Event, on_lost: Callable[[str], None]) -> None:
        """Raise the count until the work is over, or until the lock is lost."""
        counted_at = time.monotonic()
        while not over.wait(RENEW_S):
            try:
                found = self._read()
                if found is None:
                    on_lost("The study's lock was removed.")
                    return
                holder = _holder(found)
                if holder is not None and holder.id != self._me.id:
                    on_lost(f"The study was taken over by {holder}.")
                    return
                counted = replace(self._me, count=self._me.count + 1)
                if self._root.replace(self._name, found, counted.text()):
                    self._me, counted_at = counted, time.monotonic()
            except StorageError as error:
                if time.monotonic() - counted_at > GIVE_UP_S:
                    on_lost(f"The study's lock could not be renewed: {error}")
                    return

    def release(self) -> None:
        """Release the lock if it is still ours; one that cannot be deleted looks like a dead process's."""
        with suppress(StorageError):
            if self._is_mine(self._read()):
                self._root.delete(self._name)

    def _is_mine(self, found: bytes | None) -> bool:
        holder = _holder(found) if found else None
        return holder is not None and holder.id == self._me.id

    def _read(self) -> bytes | None:
        try:
            return self._root.read(self._name, LEASE_LIMIT_BYTES)
        except FileNotFoundError:
            return None

    def _described(self, found: bytes) -> tuple[str, str]:
        """Name a lock's holder, and say until when to wait for it."""
        try:
            return str(Holder.read(found)), "until it ends."
        except MalformedError as error:
            return (
                f"a run whose lock {self._root}/{self._name} cannot be read ({error})",
                f"{DEAD_S:.0f} s for it to be written anew, then it is taken over. If no run of the study is alive, "
                "delete that file: the study begins at once.",
            )


def _holder(found: bytes) -> Holder | None:
    """Read who holds a lock; None where that cannot be read, which its holder repairs when it next counts."""
    try:
        return Holder.read(found)
    except MalformedError:
        return None


def _machine() -> str:
    """Name the running system whose process numbers this process sees: its boot, and in a container the container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, str] | None:
    """Return a process's state and when it was started; None where that cannot be seen."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return fields[0], fields[19]
