"""A folder on a local disk or a network share.

A file appears whole or not at all, through a temporary name, fsync and rename.

A folder that was prepared carries a mark, and whoever holds it finds the mark there or stops: an unmounted share, a
folder that was moved, or another machine's folder under the same path is an error and is never re-created.
"""

import errno
import fcntl
import os
import shutil
import socket
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from lethe.storage._folder import MARK, FileState, Folder
from lethe.storage.errors import StorageError, UnfitFileError

MARK_LIMIT_BYTES: Final = 1 << 10

_ADVICE: Final = {
    errno.ENOSPC: "The disk is full: free some space",
    errno.EDQUOT: "The disk quota is used up: free some space",
    errno.EACCES: "This user may not write there: change the permissions",
    errno.EPERM: "This user may not write there: change the permissions",
    errno.EROFS: "It is mounted read-only: mount it writable",
    errno.ENOTDIR: "A file stands where a folder is needed: move it away",
    errno.EEXIST: "A file stands where a folder is needed: move it away",
    errno.ENOENT: "The folder is gone: see whether its disk or share is still mounted",
    errno.ESTALE: "The folder is gone: see whether its disk or share is still mounted",
}


@dataclass(frozen=True)
class _Mark:
    """A prepared folder and the mark by which it is recognised."""

    folder: Path
    mark: bytes

    def check(self) -> None:
        mark = self.folder / MARK
        try:
            found = mark.read_bytes() if _is_regular(mark) else None
        except (FileNotFoundError, NotADirectoryError):
            found = None
        if found != self.mark:
            here = socket.gethostname()
            raise FileNotFoundError(errno.ENOENT, f"On {here} the folder is gone or is another one", str(self.folder))

    def make(self, folder: Path) -> None:
        """Create a folder inside this one, but not this one."""
        self.check()
        missing = [folder, *folder.parents]
        for parent in reversed(missing[: missing.index(self.folder)]):
            parent.mkdir(exist_ok=True)


@dataclass(frozen=True)
class LocalFolder(Folder):
    """A folder of the file system, by its absolute path."""

    path: Path
    _mark: _Mark | None = None

    errors = (OSError,)
    parallel_reads = 2
    worth_caching = False

    @property
    def uri(self) -> str:
        """The path as a ``file://`` URI."""
        return self.path.as_uri()

    @property
    def address(self) -> str:
        """The path."""
        return str(self.path)

    def child(self, path: str) -> Self:
        """Return a folder inside this one."""
        return replace(self, path=self.path / path)

    def prepared(self) -> Self:
        """Create the mark, unless there is one, and return the folder that checks for it."""
        self.create(MARK, uuid.uuid4().hex.encode())
        return replace(self, _mark=_Mark(self.path, self.read(MARK, MARK_LIMIT_BYTES)))

    def check(self) -> None:
        """Raise `FileNotFoundError` if the folder was prepared and is gone or is another one."""
        if self._mark is not None:
            self._mark.check()

    def local_path(self, path: str) -> Path:
        """Return where a file is."""
        return self.path / path

    def make(self) -> None:
        """Create the folder."""
        self._make(self.path)

    def read(self, path: str, limit_bytes: int | None) -> bytes:
        """Read a file; what could block a reader for ever, or has no end, is refused."""
        file = self.path / path
        if not _is_regular(file):
            raise UnfitFileError(f"{file}: wanted a regular file, got a folder, pipe, socket or device: move it away")
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if limit_bytes is not None and size > limit_bytes:
                raise UnfitFileError(
                    f"{file}: wanted a file of at most {limit_bytes:,} bytes, got {size:,}: move it away"
                )
            return stream.read()

    def write(self, path: str, data: bytes) -> None:
        """Write a file beside its name and rename it."""
        file = self.path / path
        self._make(file.parent)
        with _temporary(file, data) as whole:
            whole.replace(file)
        _sync_folder(file.parent)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file beside its name and link it; of several that create it at once, one does."""
        file = self.path / path
        self._make(file.parent)
        with _temporary(file, data) as whole:
            created = _link(whole, file, data)
        if created:
            _sync_folder(file.parent)
        return created

    def replace(self, path: str, old: bytes, new: bytes) -> bool:
        """Compare and write under a lock of the file system on the file that is replaced.

        Where that has no locks, two that replace a file at once may both do so, and the last one's bytes stay.
        """
        try:
            with _locked(self.path / path):
                found = self.read(path, None)
                if found == old:
                    self.write(path, new)
                return found in (old, new)
        except FileNotFoundError:
            self.check()
            return False

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder of that name."""
        return (self.path / path).exists()

    def entries(self) -> list[str]:
        """Return the names of what is directly inside."""
        try:
            return [entry.name for entry in self.path.iterdir()]
        except FileNotFoundError:
            return []

    def files(self, recursive: bool) -> dict[str, FileState]:
        """Return the files with their sizes and times of change; links count as what they link to."""
        return dict(_walk(self.path, "", recursive))

    def delete(self, path: str) -> None:
        """Delete a file or folder."""
        found = self.path / path
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)

    def move(self, path: str, target: str) -> None:
        """Rename a file or folder."""
        goal = self.path / target
        self._make(goal.parent)
        (self.path / path).rename(goal)
        _sync_folder(goal.parent)

    def excludes(self, path: str) -> bool:
        """Return True: every file system creates exclusively."""
        return True

    def explain(self, what: str, error: Exception) -> StorageError:
        """Put an operating system's error into words."""
        advice = _ADVICE.get(getattr(error, "errno", None) or 0)
        advice = advice or "Check that the folder exists and that this user may write to it"
        return StorageError(f"{what}: {error}\n{advice}, or choose another folder.")

    def _make(self, folder: Path) -> None:
        if self._mark is None:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            self._mark.make(folder)


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)


def _walk(folder: Path, above: str, recursive: bool) -> Iterator[tuple[str, FileState]]:
    """Find files and their states; what disappears meanwhile is left out."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            if entry.is_dir():
                if recursive:
                    yield from _walk(folder / entry.name, f"{above}{entry.name}/", recursive)
            elif entry.is_file():
                status = entry.stat()
                yield above + entry.name, FileState(status.st_size, str(status.st_mtime_ns))
        except FileNotFoundError:
            continue


@contextmanager
def _temporary(path: Path, data: bytes) -> Iterator[Path]:
    """Write a file beside the one that it is to become."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file, which ends with this process.

    Whoever waited for it finds another file under the name, and other bytes in it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        with _where_there_are_locks():
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _where_there_are_locks() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise


def _link(whole: Path, path: Path, data: bytes) -> bool:
    """Link a file under a second name unless that is taken; without hard links, write it under the new name."""
    try:
        path.hardlink_to(whole)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        return _write_if_missing(path, data)
    return True


def _write_if_missing(path: Path, data: bytes) -> bool:
    try:
        with path.open("xb") as stream:
            stream.write(data)
    except FileExistsError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
