"""A storage root: one folder on a local disk, a network share or an object store, and the only code that touches files.

A file appears whole or not at all. A storage root knows nothing of what its files mean.
"""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from lethe.storage._folder import MARK, FileState, Folder
from lethe.storage._local import LocalFolder
from lethe.storage._objects import ObjectFolder, explain_store
from lethe.storage._open_store import KINDS
from lethe.storage.credentials import cut_credentials, without_credentials
from lethe.storage.errors import StorageError, StoreUnavailableError, UnfitFileError
from lethe.storage.object_store import STORE_ERRORS, message_of, trouble_of

__all__ = ["MARK", "QUARANTINE", "StorageError", "StorageRoot", "StoreUnavailableError", "UnfitFileError"]

QUARANTINE: Final = "quarantine"

_PROBE_BYTES: Final = 1 << 20


@dataclass(frozen=True, repr=False)
class StorageRoot:
    """One folder; cheap to copy, picklable, safe to share between threads. Equal ones have the same URI.

    Make one with `StorageRoot.at`. A name is a path inside the folder, its parts separated by ``/``.

    Attributes:
        folder: the kind of storage, and where in it the files are.
    """

    folder: Folder

    @classmethod
    def at(cls, where: "str | Path | StorageRoot") -> "StorageRoot":
        """Open the storage root at a URI or a local path; nothing is created before something is written.

        Args:
            where: such as ``results``, ``~/results``, ``s3://bucket/results?region=eu-west-1``, ``gs://bucket/results``.

        Raises:
            StorageError: the URI is of no known kind, or its store refuses to be opened.
            StoreUnavailableError: its store cannot be reached.
        """
        if isinstance(where, StorageRoot):
            return where
        if isinstance(where, Path) or "://" not in where:
            return cls(LocalFolder(Path(where).expanduser().absolute()))
        try:
            if where.startswith("file://"):
                return cls(LocalFolder(Path(unquote(urlsplit(where).path)).absolute()))
            return cls(ObjectFolder.at(where))
        except (ValueError, *STORE_ERRORS) as error:
            raise _not_opened(where, error) from None

    def __str__(self) -> str:
        return self.address.partition("?")[0]

    def __repr__(self) -> str:
        return f"StorageRoot({self.address!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StorageRoot) and self.uri == other.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    @property
    def uri(self) -> str:
        """The folder's full URI. It may hold credentials: show ``str(root)``, which does not."""
        return self.folder.uri

    @property
    def address(self) -> str:
        """The name of the storage root for a command: its path, or its URI without secrets."""
        return self.folder.address

    @property
    def parallel_reads(self) -> int:
        """How many files are worth reading at once."""
        return self.folder.parallel_reads

    @property
    def worth_caching(self) -> bool:
        """Whether a copy on this machine is read faster than the original."""
        return self.folder.worth_caching

    def prepared(self) -> "StorageRoot":
        """Create the folder where it is missing, check that it can be written, and hold on to it.

        Returns:
            This storage root, which from now on is never created again: once its folder is gone, or is another one,
            whatever is done there ends in a `StorageError`, in this process and wherever the storage root travels. A
            part of an object store is no folder that could be gone.

        Raises:
            StorageError: the folder cannot be written to, or is full.
        """
        self.check_writable()
        with self.reporting(f"create {MARK} in"):
            return replace(self, folder=self.folder.prepared())

    def child(self, *parts: str) -> "StorageRoot":
        """Return a folder inside this one."""
        return replace(self, folder=self.folder.child("/".join(parts)))

    def local_path(self, name: str) -> Path | None:
        """Return where a file is on this machine's file system; None for an object store."""
        return self.folder.local_path(name)

    def make(self) -> None:
        """Create the folder for others than this class to write to; an object store needs none.

        Raises:
            StorageError: it could not be created.
        """
        with self.reporting("create the folder"):
            self.folder.make()

    def read(self, name: str, limit_bytes: int | None = None) -> bytes:
        """Read a whole file.

        Args:
            limit_bytes: the most that a file of this kind holds; None: any size.

        Raises:
            FileNotFoundError: there is no such file.
            UnfitFileError: it is no regular file (a folder, pipe, socket or device), or larger than the limit.
            StorageError: it could not be read.
        """
        with self.reporting(f"read {name} from"):
            try:
                return self.folder.read(name, limit_bytes)
            except FileNotFoundError:
                self.folder.check()
        raise FileNotFoundError(errno.ENOENT, "There is no such file", f"{self}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file in one step; readers see the old file or the new one, never a part.

        Raises:
            StorageError: the file could not be written; an older file of that name stays as it was.
        """
        with self.reporting(f"write {name} ({len(data)} bytes) to"):
            self.folder.write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a whole file unless there is one of that name; return whether it was written.

        Of several that create a file at once, one does.

        Raises:
            StorageError: the file could not be written.
        """
        with self.reporting(f"create {name} in"):
            return self.folder.create(name, data)

    def replace(self, name: str, old: bytes, new: bytes) -> bool:
        """Write a whole file if it holds ``old``; return whether it holds ``new`` now.

        Of several that replace the same bytes at once, one does; on a file system without locks (``flock``) several
        may, and the last one's bytes stay.

        Raises:
            StorageError: the file could not be read or written.
        """
        with self.reporting(f"replace {name} in"):
            return self.folder.replace(name, old, new)

    def exists(self, name: str) -> bool:
        """Return whether there is a file or folder of that name."""
        with self.reporting(f"look for {name} in"):
            found = self.folder.exists(name)
            if not found:
                self.folder.check()
        return found

    def names(self, suffix: str = "", recursive: bool = False) -> list[str]:
        """Return the files whose names end with ``suffix``, sorted; none where the folder does not exist.

        Temporary files and what is in quarantine are left out.
        """
        return sorted(self.stamps(suffix, recursive))

    def entries(self) -> list[str]:
        """Return the names of the files and folders in the folder itself, sorted; none where it does not exist."""
        with self.reporting("list the files of"):
            return sorted(self.folder.entries())

    def stamps(self, suffix: str = "", recursive: bool = False) -> dict[str, str]:
        """Return files as `names` does, each with a stamp that changes when the file does."""
        found = self._listed(suffix, recursive)
        return {name: f"{state.size_bytes}-{state.version}" for name, state in found.items()}

    def sizes(self, suffix: str = "", recursive: bool = False) -> dict[str, int]:
        """Return files as `names` does, each with its size in bytes."""
        return {name: state.size_bytes for name, state in self._listed(suffix, recursive).items()}

    def half_written(self) -> dict[str, int]:
        """Return the temporary files in the folder and those in it, with their sizes in bytes, sorted by name.

        Somebody is writing them, or died in it.
        """
        with self.reporting("list the files of"):
            found = self.folder.files(recursive=True)
        return {name: found[name].size_bytes for name in sorted(found) if _is_temporary(name)}

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all it holds; nothing happens where there is none.

        Raises:
            StorageError: it could not be deleted.
        """
        with self.reporting(f"delete {name} from"):
            self.folder.delete(name)

    def rename(self, name: str, target: str) -> None:
        """Rename a file or folder, in one step where the storage has folders.

        Raises:
            StorageError: it could not be renamed, or the other name is taken by a folder with files.
        """
        with self.reporting(f"rename {name} to {target} in"):
            self.folder.move(name, target)

    def quarantine(self, name: str) -> str:
        """Move a broken file or folder into this folder's ``quarantine``, under a name of its own.

        Returns:
            Where it is now, for people to read.

        Raises:
            StorageError: it could not be moved.
        """
        target = _quarantined(name)
        with self.reporting(f"move {name} to quarantine in"):
            self.folder.move(name, target)
        return f"{self}/{target}"

    def quarantine_copy(self, name: str, data: bytes) -> str:
        """Write a file into this folder's ``quarantine``, under a name of its own.

        Returns:
            Where it is, for people to read.

        Raises:
            StorageError: it could not be written.
        """
        target = _quarantined(name)
        self.write(target, data)
        return f"{self}/{target}"

    def check_writable(self) -> None:
        """Write a mebibyte, read it back and delete it; the folder is created where it is missing.

        Raises:
            StorageError: the folder cannot be written to, has vanished or is full, or is in a store that cannot
                exclude a second writer.
        """
        probe = f".check.{uuid.uuid4().hex}.tmp"
        data = os.urandom(_PROBE_BYTES)
        self.write(probe, data)
        with self.reporting("read back what was written to"):
            same = self.read(probe) == data
        with self.reporting("create a file exclusively in"):
            excludes = self.folder.excludes(probe)
        self.delete(probe)
        if not excludes:
            raise StorageError(
                f"{self} ignores conditional writes (If-None-Match), by which runs of one study exclude each other: "
                "upgrade the store, or choose another one"
            )
        if not same:
            raise StorageError(
                f"{self} gave back other bytes than were written: check the disk or choose another folder"
            )

    def _listed(self, suffix: str, recursive: bool) -> dict[str, FileState]:
        with self.reporting("list the files of"):
            found = self.folder.files(recursive)
            if not found:
                self.folder.check()
        return {name: state for name, state in found.items() if name.endswith(suffix) and not _is_hidden(name)}

    @contextmanager
    def reporting(self, action: str) -> Iterator[None]:
        """Turn the storage's errors into a `StorageError` that names this storage root.

        Args:
            action: what is tried, such as ``write a.json to``.
        """
        try:
            yield
        except self.folder.errors as error:
            raise self.folder.explain(f"cannot {action} {self}", error) from error


def _quarantined(name: str) -> str:
    return f"{QUARANTINE}/{name}.{uuid.uuid4().hex}"


def _is_hidden(name: str) -> bool:
    return _is_temporary(name) or name.startswith(f"{QUARANTINE}/")


def _is_temporary(name: str) -> bool:
    base = name.rsplit("/", 1)[-1]
    return base.startswith(".") and base.endswith(".tmp")


def _not_opened(where: str, error: Exception) -> StorageError:
    """Put the error of a storage root that could not be opened into words."""
    what = f"cannot open {without_credentials(where)}"
    if trouble_of(error):
        return explain_store(what, error, where)
    said = cut_credentials(message_of(error), where)
    return StorageError(f"{what}: {said}\nGive a local folder or a URI of a known kind ({KINDS}).")
