"""A place: one folder on a local disk, a network share or an object store, and the only code that touches its files.

A file appears whole or not at all: on a local folder through a temporary name, fsync and rename, on an object store
through one PUT. A place knows nothing of what its files mean.

A local folder that was prepared carries a mark, and who holds the prepared place finds it there or stops: an unmounted
share, a folder that was moved, or another machine's folder under the same path is told, and never filled instead.
"""

import errno
import os
import socket
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self, TypeVar
from urllib.parse import quote

import pyarrow as pa
from pyarrow import fs

from lethe.storage.credentials import cut_credentials, without_credentials
from lethe.storage.object_store import ADVICE, PATIENCE_S, patiently, trouble_of

Answer = TypeVar("Answer")

QUARANTINE: Final = "quarantine"
MARK: Final = ".lethe-place"
"""In a prepared folder: a name of its own, by which it is known again."""

MARK_LIMIT_BYTES: Final = 1 << 10

_PROBE_BYTES: Final = 1 << 20

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


class StorageError(Exception):
    """A place that cannot be used, or lacks what it held; the message says what failed, where, and what to do."""


class UnfitFileError(StorageError):
    """What bears a file's name is no regular file, or is larger than any file of its kind; nothing of it was read."""


class StoreUnavailableError(StorageError):
    """An object store that stayed out of reach; what had finished is kept."""


@dataclass(frozen=True)
class StorageRoot:
    """One folder under a ``pyarrow.fs`` URI; cheap to copy, picklable, safe to share between threads.

    Make one with `StorageRoot.at`. A name is a path inside the folder, its parts separated by ``/``.

    Attributes:
        uri: the folder's full URI. It may hold credentials: show ``str(root)``, which does not.
    """

    uri: str
    _filesystem: fs.FileSystem = field(repr=False, compare=False)
    _path: str = field(repr=False, compare=False)
    _root: "_Mark | None" = field(default=None, repr=False, compare=False)

    @classmethod
    def at(cls, where: "str | Path | StorageRoot") -> "StorageRoot":
        """Open the place at a URI or a local path; nothing is created before something is written.

        Args:
            where: such as ``results``, ``~/results``, ``s3://bucket/results?region=eu-west-1``, ``gs://bucket/results``.

        Raises:
            StorageError: the URI is of no kind that pyarrow knows, or its store refuses to be opened.
            StoreUnavailableError: its store cannot be reached.
        """
        if isinstance(where, StorageRoot):
            return where
        if isinstance(where, Path) or "://" not in where:
            return cls._local(Path(where))
        try:
            filesystem, path = patiently(lambda: fs.FileSystem.from_uri(where))
        except (OSError, ValueError, ImportError, NotImplementedError) as error:
            raise _not_opened(where, error) from None
        if isinstance(filesystem, fs.LocalFileSystem):
            return cls._local(Path(path))
        return cls(where, filesystem, path)

    @classmethod
    def _local(cls, folder: Path) -> Self:
        folder = folder.expanduser().absolute()
        return cls(folder.as_uri(), fs.LocalFileSystem(), folder.as_posix())

    def __str__(self) -> str:
        return self.address.partition("?")[0]

    @property
    def address(self) -> str:
        """What names the place to a command: its path, or its URI without secrets."""
        return self._path if self.is_local else without_credentials(self.uri)

    def __repr__(self) -> str:
        return f"StorageRoot({self.address!r})"

    @property
    def is_local(self) -> bool:
        """Tell whether this is a folder rather than a part of an object store."""
        return isinstance(self._filesystem, fs.LocalFileSystem)

    def prepared(self) -> "StorageRoot":
        """Create the folder where it is missing, see that it can be written, and hold on to it.

        Returns:
            This place, which from now on is never made again: once its folder is gone, or is another one, whatever is
            done there ends in a `StorageRootError`, in this process and wherever the place travels. A part of an
            object store is no folder that could be gone; there its writes alone tell.

        Raises:
            StorageError: the place cannot be written to, or is full.
        """
        self.check_writable()
        if not self.is_local:
            return self
        self.create(MARK, uuid.uuid4().hex.encode())
        return replace(self, _root=_Mark(Path(self._path), self.read(MARK, MARK_LIMIT_BYTES)))

    def child(self, *parts: str) -> "StorageRoot":
        """Name a folder inside this one."""
        head, mark, options = self.uri.partition("?")
        uri = "/".join([head.rstrip("/"), *map(quote, parts)]) + mark + options
        return replace(self, uri=uri, _path=self._full("/".join(parts)))

    def local_path(self, name: str) -> Path | None:
        """Say where a file lies on this machine's disk; None for an object store."""
        return Path(self._full(name)) if self.is_local else None

    def make(self) -> None:
        """Create the folder for others than this class to write to; an object store needs none.

        Raises:
            StorageError: it could not be created.
        """
        with self.telling("create the folder"):
            if self.is_local:
                self._make_folder(Path(self._path))

    def read(self, name: str, limit_bytes: int | None = None) -> bytes:
        """Read a whole file.

        Args:
            limit_bytes: the most that a file of this kind holds; None: any size.

        Raises:
            FileNotFoundError: there is no such file.
            UnfitFileError: it is no regular file (a folder, pipe, socket or device), or larger than the limit.
            StorageError: it could not be read.
        """
        with self.telling(f"read {name} from"):
            try:
                self._check_regular(name)
                return self._call(lambda: self._get(name, limit_bytes))
            except FileNotFoundError:
                self._check_root()
        raise FileNotFoundError(errno.ENOENT, "There is no such file", f"{self}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file in one step; readers see the old file or the new one, never a part.

        Raises:
            StorageError: the file could not be written; an older file of that name stands as it was.
        """
        with self.telling(f"write {name} ({len(data)} bytes) to"):
            path = self.local_path(name)
            if path is None:
                self._call(lambda: self._put(name, data))
            else:
                self._make_folder(path.parent)
                with _temporary(path, data) as whole:
                    whole.replace(path)
                _sync_folder(path.parent)

    def create(self, name: str, data: bytes) -> bool:
        """Write a whole file unless there is one of that name; tell whether it was written.

        Of several that create a file at once on a local folder, one does. An object store is asked first and written
        to then, so that there several may, and the last one's bytes stay.

        Raises:
            StorageError: the file could not be written.
        """
        with self.telling(f"create {name} in"):
            path = self.local_path(name)
            if path is None:
                if self.exists(name):
                    return False
                self._call(lambda: self._put(name, data))
                return True
            self._make_folder(path.parent)
            with _temporary(path, data) as whole:
                return _link(whole, path, data)

    def exists(self, name: str) -> bool:
        """Say whether there is a file or folder of that name."""
        with self.telling(f"look for {name} in"):
            info = self._call(lambda: self._filesystem.get_file_info(self._full(name)))
            found = bool(info.type != fs.FileType.NotFound)
            if not found:
                self._check_root()
        return found

    def names(self, suffix: str = "", recursive: bool = False) -> list[str]:
        """List the files whose names end with ``suffix``, sorted; none where the folder does not exist.

        Temporary files and what was set aside are left out.
        """
        return sorted(self.stamps(suffix, recursive))

    def entries(self) -> list[str]:
        """List the names of the files and folders in the folder itself, sorted; none where it does not exist."""
        with self.telling("list the files of"):
            found = self._filesystem.get_file_info(fs.FileSelector(self._path, allow_not_found=True))
        return sorted(info.base_name for info in found)

    def stamps(self, suffix: str = "", recursive: bool = False) -> dict[str, str]:
        """List files as `names` does, each with a stamp that changes when the file does (size and time of change)."""
        return {name: f"{info.size}-{info.mtime_ns}" for name, info in self._listed(suffix, recursive).items()}

    def sizes(self, suffix: str = "", recursive: bool = False) -> dict[str, int]:
        """List files as `names` does, each with its size in bytes."""
        return {name: info.size for name, info in self._listed(suffix, recursive).items()}

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all it holds; nothing happens where there is none.

        Raises:
            StorageError: it could not be deleted.
        """
        path = self._full(name)
        with self.telling(f"delete {name} from"):
            self._call(lambda: self._delete(path))

    def quarantine(self, name: str) -> str:
        """Move a broken file or folder into this place's ``quarantine`` folder, under a name of its own.

        Returns:
            Where it lies now, for people to read.

        Raises:
            StorageError: it could not be moved.
        """
        target = _quarantined(name)
        with self.telling(f"set aside {name} in"):
            path = self.local_path(name)
            if path is not None:
                goal = Path(self._full(target))
                self._make_folder(goal.parent)
                path.rename(goal)
            else:
                self._call(lambda: self._move_objects(name, target))
        return f"{self}/{target}"

    def quarantine_copy(self, name: str, data: bytes) -> str:
        """Write a file into this place's ``quarantine`` folder, under a name of its own.

        Returns:
            Where it lies, for people to read.

        Raises:
            StorageError: it could not be written.
        """
        target = _quarantined(name)
        self.write(target, data)
        return f"{self}/{target}"

    def check_writable(self) -> None:
        """Write a mebibyte, read it back and delete it; the folder is created where it is missing.

        Raises:
            StorageError: the place cannot be written to, has vanished or is full.
        """
        probe = f".check.{uuid.uuid4().hex}.tmp"
        data = os.urandom(_PROBE_BYTES)
        self.write(probe, data)
        with self.telling("read back what was written to"):
            same = self.read(probe) == data
        self.delete(probe)
        if not same:
            raise StorageError(
                f"{self} gave back other bytes than were written: check the disk or choose another place"
            )

    def _listed(self, suffix: str, recursive: bool) -> dict[str, fs.FileInfo]:
        selector = fs.FileSelector(self._path, recursive=recursive, allow_not_found=True)
        base = len(self._path.rstrip("/")) + 1
        with self.telling("list the files of"):
            found = self._call(lambda: self._filesystem.get_file_info(selector))
            if not found:
                self._check_root()
        return {
            info.path[base:]: info
            for info in found
            if info.is_file and info.path.endswith(suffix) and not _is_hidden(info.path[base:])
        }

    def _full(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def _call(self, call: Callable[[], Answer]) -> Answer:
        """Ask the file system; an object store that is out of reach again and again, for a while."""
        return call() if self.is_local else patiently(call)

    def _get(self, name: str, limit_bytes: int | None) -> bytes:
        with self._filesystem.open_input_file(self._full(name)) as stream:
            if limit_bytes is not None and stream.size() > limit_bytes:
                raise UnfitFileError(
                    f"{self}/{name}: wanted a file of at most {limit_bytes:,} bytes, got {stream.size():,}: "
                    "move it away"
                )
            data: bytes = stream.read()
        return data

    def _delete(self, path: str) -> None:
        kind = self._filesystem.get_file_info(path).type
        if kind == fs.FileType.Directory:
            self._filesystem.delete_dir(path)
        elif kind == fs.FileType.File:
            self._filesystem.delete_file(path)

    def _move_objects(self, name: str, target: str) -> None:
        """Move a file, or a folder file by file: object stores cannot rename a folder."""
        source = self._full(name)
        if self._filesystem.get_file_info(source).type == fs.FileType.File:
            self._filesystem.move(source, self._full(target))
            return
        for info in self._filesystem.get_file_info(fs.FileSelector(source, recursive=True)):
            if info.is_file:
                self._filesystem.move(info.path, self._full(target) + info.path.removeprefix(source))

    def _put(self, name: str, data: bytes) -> None:
        with self._filesystem.open_output_stream(self._full(name), compression=None) as stream:
            stream.write(data)

    def _make_folder(self, folder: Path) -> None:
        if self._root is None:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            self._root.make(folder)

    def _check_root(self) -> None:
        if self._root is not None:
            self._root.check()

    def _check_regular(self, name: str) -> None:
        """Refuse what could block a reader for ever or has no end; an object store holds only objects."""
        path = self.local_path(name)
        if path is not None and not _is_regular(path):
            raise UnfitFileError(
                f"{self}/{name}: wanted a regular file, got a folder, pipe, socket or device: move it away"
            )

    @contextmanager
    def telling(self, action: str) -> Iterator[None]:
        """Turn an operating system's error into a `StorageRootError` that names this place.

        Args:
            action: what is tried, such as ``write a.json to``.
        """
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            known = _ADVICE.get(getattr(error, "errno", None) or 0)
            if not (self.is_local or known):
                raise _of_store(f"cannot {action} {self}", error, self.uri) from error
            advice = known or "See that the place exists and that this user may write to it"
            raise StorageError(f"cannot {action} {self}: {error}\n{advice}, or choose another place.") from error


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)


def _quarantined(name: str) -> str:
    return f"{QUARANTINE}/{name}.{uuid.uuid4().hex}"


@dataclass(frozen=True)
class _Mark:
    """A prepared folder and the mark by which it is known again."""

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
        """Make a folder inside this one, but not this one."""
        self.check()
        missing = [folder, *folder.parents]
        for parent in reversed(missing[: missing.index(self.folder)]):
            parent.mkdir(exist_ok=True)


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


def _link(whole: Path, path: Path, data: bytes) -> bool:
    """Give a file a second name unless it is taken; where files have one name only, write it under the new one."""
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


def _is_hidden(name: str) -> bool:
    base = name.rsplit("/", 1)[-1]
    return (base.startswith(".") and base.endswith(".tmp")) or name.startswith(f"{QUARANTINE}/")


def _not_opened(where: str, error: Exception) -> StorageError:
    """Word the error of a place that could not be opened."""
    what = f"cannot open the place {without_credentials(where)}"
    if trouble_of(error):
        return _of_store(what, error, where)
    return StorageError(
        f"{what}: {cut_credentials(str(error), where)}\n"
        "Give a local folder or a URI that pyarrow knows (file://, s3://, gs://, abfs://, hdfs://)."
    )


def _of_store(what: str, error: Exception, uri: str) -> StorageError:
    """Word an object store's error, by what kind it is of."""
    trouble = trouble_of(error)
    said = cut_credentials(str(error), uri)
    if trouble is None:
        return StorageError(f"{what}: {said}\nSee that the place exists and that this user may write to it.")
    tried = f" (tried for {PATIENCE_S:g} s)" if trouble == "network" else ""
    kind = StoreUnavailableError if trouble == "network" else StorageError
    return kind(f"{what}{tried}: {said}\n{ADVICE[trouble]}.")
