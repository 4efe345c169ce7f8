"""What a storage root asks of the folder that holds its files: one class per kind of storage.

Methods raise what the operating system or the store's library raises; `explain` turns that into a `StorageError`.
Paths are relative to the folder, their parts separated by ``/``.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Self

from lethe.storage.errors import StorageError

MARK: Final = ".lethe-place"
"""In a prepared local folder: a name of its own, by which it is recognised."""


class FileState(NamedTuple):
    """What a listing says of a file.

    Attributes:
        version: a text that changes when the file does: its time of change, or the store's entity tag.
    """

    size_bytes: int
    version: str


class Folder(ABC):
    """One folder: on a file system, or a prefix of an object store. Cheap to copy, picklable, safe to share.

    Attributes:
        errors: the exceptions of its methods that `explain` explains.
        parallel_reads: threads that are worth reading with: many hide the wait for an object store, before a disk they
            only wait for each other.
        worth_caching: whether a copy on this machine is read faster.
    """

    errors: ClassVar[tuple[type[Exception], ...]]
    parallel_reads: ClassVar[int]
    worth_caching: ClassVar[bool]

    @property
    @abstractmethod
    def uri(self) -> str:
        """The folder's full URI, credentials included."""

    @property
    @abstractmethod
    def address(self) -> str:
        """The name of the folder for a command: its path, or its URI without secrets."""

    @abstractmethod
    def child(self, path: str) -> Self:
        """Return a folder inside this one."""

    @abstractmethod
    def prepared(self) -> Self:
        """Return this folder, created and marked where folders can disappear."""

    @abstractmethod
    def check(self) -> None:
        """Raise if the folder was prepared and is gone or is another one."""

    @abstractmethod
    def local_path(self, path: str) -> Path | None:
        """Return where a file is on this machine's file system; None for an object store."""

    @abstractmethod
    def make(self) -> None:
        """Create the folder, for others than this class to write to; an object store needs none."""

    @abstractmethod
    def read(self, path: str, limit_bytes: int | None) -> bytes:
        """Read a whole file; see `StorageRoot.read`."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write a whole file in one step, over an older one."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write a whole file unless there is one; return whether it was written."""

    @abstractmethod
    def replace(self, path: str, old: bytes, new: bytes) -> bool:
        """Write a whole file if it holds ``old``; return whether it holds ``new`` now."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder of that name."""

    @abstractmethod
    def entries(self) -> list[str]:
        """Return the names of the files and folders directly inside; none where it does not exist."""

    @abstractmethod
    def files(self, recursive: bool) -> dict[str, FileState]:
        """Return the files and their states; none where the folder does not exist."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a file, or a folder with all it holds; nothing happens where there is none."""

    @abstractmethod
    def move(self, path: str, target: str) -> None:
        """Move a file, or a folder with all it holds."""

    @abstractmethod
    def excludes(self, path: str) -> bool:
        """Return whether the storage refuses to create the file ``path``, which exists."""

    @abstractmethod
    def explain(self, what: str, error: Exception) -> StorageError:
        """Put one of `errors` into words.

        Args:
            what: what failed, such as ``cannot write a.json to /results``.
        """
