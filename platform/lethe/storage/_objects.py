"""A prefix of an object store, through obstore.

A file appears whole or not at all, through one PUT or one completed upload. A second writer is excluded by conditional
PUTs: "only if there is none", and "only if it is still the one that was read".
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self, TypeVar
from urllib.parse import quote, unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import ObjectStore

from lethe.storage._folder import FileState, Folder
from lethe.storage._open_store import open_store
from lethe.storage.credentials import cut_credentials, without_credentials
from lethe.storage.errors import StorageError, StoreUnavailableError, UnfitFileError
from lethe.storage.object_store import ADVICE, PATIENCE_S, STORE_ERRORS, message_of, patiently, trouble_of

Answer = TypeVar("Answer")


class _NoBucketError(OSError):
    """A bucket or container that does not exist, where a file was asked for."""


@dataclass(frozen=True)
class ObjectFolder(Folder):
    """A prefix of an object store.

    Attributes:
        base: the store's URI without a path.
        prefix: the path in the store, decoded, without a slash at its ends.
    """

    base: str
    prefix: str

    errors = STORE_ERRORS
    parallel_reads = 16
    worth_caching = True

    @classmethod
    def at(cls, uri: str) -> Self:
        """Open the folder at a URI.

        Raises:
            ValueError: the URI is of no kind that is known here.
            BaseError, OSError: the store cannot be opened.
        """
        url = urlsplit(uri)
        folder = cls(url._replace(path="").geturl(), unquote(url.path).strip("/"))
        patiently(lambda: folder._store)
        return folder

    @property
    def uri(self) -> str:
        """The full URI."""
        url = urlsplit(self.base)
        return url._replace(path=f"/{quote(self.prefix)}" if self.prefix else "").geturl()

    @property
    def address(self) -> str:
        """The URI without secrets."""
        return without_credentials(self.uri)

    def child(self, path: str) -> Self:
        """Return a folder inside this one."""
        return replace(self, prefix=self._full(path))

    def prepared(self) -> Self:
        """Return this folder: a prefix is never gone."""
        return self

    def check(self) -> None:
        """Do nothing: a prefix is never gone."""

    def local_path(self, path: str) -> None:
        """Return None: no file is on this machine."""

    def make(self) -> None:
        """Do nothing: a prefix needs no folder."""

    def read(self, path: str, limit_bytes: int | None) -> bytes:
        """Get an object."""

        def get() -> bytes:
            answer = obstore.get(self._store, self._full(path))
            size = answer.meta["size"]
            if limit_bytes is not None and size > limit_bytes:
                raise UnfitFileError(
                    f"{self.address.partition('?')[0]}/{path}: wanted a file of at most {limit_bytes:,} bytes, "
                    f"got {size:,}: move it away"
                )
            return bytes(answer.bytes())

        return self._ask(get)

    def write(self, path: str, data: bytes) -> None:
        """Put an object."""
        self._ask(lambda: obstore.put(self._store, self._full(path), data))

    def create(self, path: str, data: bytes) -> bool:
        """Put an object only if there is none.

        A PUT whose answer was lost may have succeeded: the next attempt then finds what this one wrote.
        """
        attempts = 0

        def put() -> bool:
            nonlocal attempts
            attempts += 1
            try:
                obstore.put(self._store, self._full(path), data, mode="create")
            except AlreadyExistsError:
                return attempts > 1 and self._holds(path, data)
            return True

        return self._ask(put)

    def replace(self, path: str, old: bytes, new: bytes) -> bool:
        """Put an object only if it is still the one that holds ``old``."""

        def swap() -> bool:
            try:
                answer = obstore.get(self._store, self._full(path))
                found = bytes(answer.bytes())
                if found != old:
                    return found == new
                obstore.put(self._store, self._full(path), new, mode=_version_of(answer.meta))
            except (PreconditionError, AlreadyExistsError, FileNotFoundError) as error:
                if trouble_of(error):
                    raise
                return False
            return True

        return self._ask(swap)

    def exists(self, path: str) -> bool:
        """Return whether there is an object of that name, or one below it."""

        def look() -> bool:
            try:
                obstore.head(self._store, self._full(path))
            except FileNotFoundError:
                return any(obstore.list(self._store, self._full(path), chunk_size=1))
            return True

        return self._ask(look)

    def entries(self) -> list[str]:
        """Return the first parts of the objects' names."""
        found = self._ask(lambda: obstore.list_with_delimiter(self._store, self.prefix or None))
        paths = [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]
        return [path.rpartition("/")[2] for path in paths if path != self.prefix]

    def files(self, recursive: bool) -> dict[str, FileState]:
        """Return the objects with their sizes and entity tags."""

        start = len(self.prefix) + 1 if self.prefix else 0

        def look() -> dict[str, FileState]:
            if recursive:
                found = obstore.list(self._store, self.prefix or None).collect()
            else:
                found = obstore.list_with_delimiter(self._store, self.prefix or None)["objects"]
            return {
                meta["path"][start:]: FileState(meta["size"], str(meta["e_tag"] or meta["last_modified"]))
                for meta in found
                if meta["path"] != self.prefix
            }

        return self._ask(look)

    def delete(self, path: str) -> None:
        """Delete an object and all below it."""

        def delete() -> None:
            below = [meta["path"] for meta in obstore.list(self._store, self._full(path)).collect()]
            if below:
                obstore.delete(self._store, below)
            with suppress(FileNotFoundError):
                obstore.delete(self._store, self._full(path))

        self._ask(delete)

    def move(self, path: str, target: str) -> None:
        """Copy and delete an object, or all below it: stores cannot rename."""
        source, goal = self._full(path), self._full(target)

        def move() -> None:
            below = [meta["path"] for meta in obstore.list(self._store, source).collect()]
            for name in below or [source]:
                obstore.rename(self._store, name, goal + name.removeprefix(source))

        self._ask(move)

    def excludes(self, path: str) -> bool:
        """Return whether the store honours "only if there is none"; old ones of S3's kind ignore it."""
        return not self.create(path, b"")

    def explain(self, what: str, error: Exception) -> StorageError:
        """Put a store's error into words, by what kind it is of."""
        return explain_store(what, error, self.uri)

    @property
    def _store(self) -> ObjectStore:
        return open_store(self.base)

    def _full(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def _holds(self, path: str, data: bytes) -> bool:
        return bytes(obstore.get(self._store, self._full(path)).bytes()) == data

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """Ask the store, again and again for a while if it is out of reach."""
        try:
            return patiently(call)
        except FileNotFoundError as error:
            if trouble_of(error):
                raise _NoBucketError(message_of(error)) from error
            raise


def _version_of(meta: "obstore.ObjectMeta") -> "obstore.UpdateVersion":
    """Return what names the version of an object that was read: stores have an entity tag, a version, or both."""
    version: obstore.UpdateVersion = {}
    if meta["e_tag"] is not None:
        version["e_tag"] = meta["e_tag"]
    if meta["version"] is not None:
        version["version"] = meta["version"]
    return version


def explain_store(what: str, error: Exception, uri: str) -> StorageError:
    """Put an error of the store at a URI into words, without the URI's secrets."""
    trouble = trouble_of(error)
    said = cut_credentials(message_of(error), uri)
    if trouble is None:
        return StorageError(f"{what}: {said}\nCheck that the bucket exists and that this user may write to it.")
    tried = f" (tried for {PATIENCE_S:g} s)" if trouble == "network" else ""
    kind = StoreUnavailableError if trouble == "network" else StorageError
    return kind(f"{what}{tried}: {said}\n{ADVICE[trouble]}.")
