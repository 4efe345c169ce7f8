"""The node's cache: files of artifacts in an object store, kept on the machines that have read them.

A file is named by the SHA-256 of its content, which is compared at every reading: a broken or foreign one is ignored,
so nothing in the cache can change a result. Without a cache files are only fetched again.
"""

import logging
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Final

from lethe.storage.hashing import digest
from lethe.storage.root import StorageError, StorageRoot, UnfitFileError

FOLDER_VARIABLE: Final = "LETHE_CACHE"
LIMIT_BYTES: Final = 10 << 30


@dataclass(frozen=True)
class NodeCache:
    """The cache of the machine that this is used on; safe for many processes at once.

    Its folder is the one that LETHE_CACHE names there, else one of this user's among the temporary files.

    Args:
        limit_bytes: the most that it holds; never more than half of what its disk has for it.
    """

    limit_bytes: int = LIMIT_BYTES

    def get(self, sha256: str) -> bytes | None:
        """Read the content of that checksum; None if it is not here.

        Raises:
            StorageError: the folder cannot be used.
        """
        folder = _folder()
        try:
            with suppress(PermissionError):  # another user's file, where they share the folder
                os.utime(folder / sha256)
            content = StorageRoot.at(folder).read(sha256)
        except (FileNotFoundError, UnfitFileError):
            return None
        return content if digest(content) == sha256 else None

    def keep(self, sha256: str, content: bytes) -> None:
        """Keep a content under its checksum, evicting the least recently used; a full disk is a warning.

        Raises:
            StorageError: the folder cannot be used.
        """
        folder = _folder()
        root = StorageRoot.at(folder)
        try:
            root.write(sha256, content)
        except StorageError as error:
            logging.getLogger(__name__).warning("Nothing is kept for the next reader: %s", error)
        with root.reporting("make room in"):
            self._prune(folder)

    @property
    def size_bytes(self) -> int:
        """Sum the sizes of the files that it holds.

        Raises:
            StorageError: the folder cannot be used.
        """
        return sum(size for _, size, _ in _held(_folder()))

    def clear(self) -> None:
        """Delete all files; whoever wants one fetches it again.

        Raises:
            StorageError: the folder cannot be used.
        """
        for _, _, path in _held(_folder()):
            path.unlink(missing_ok=True)

    def _prune(self, folder: Path) -> None:
        """Delete the least recently used until the rest is small enough; other processes may be doing the same."""
        found = _held(folder)
        held = sum(size for _, size, _ in found)
        limit = min(self.limit_bytes, (held + disk_usage(folder).free) // 2)
        for _, size, path in sorted(found):
            if held <= limit:
                return
            with suppress(PermissionError):
                path.unlink(missing_ok=True)
                held -= size


def _held(folder: Path) -> list[tuple[int, int, Path]]:
    """List the files of the cache, each with its time of use in ns and its size in bytes."""
    found = []
    for path in folder.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append((status.st_mtime_ns, status.st_size, path))
    return found


def _folder() -> Path:
    """Find the cache's folder, which this user alone can read, or make it."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"lethe-cache-{os.getuid()}"
    advice = f"Name a folder of your own in {FOLDER_VARIABLE}."
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        raise StorageError(f"cannot keep artifacts in {folder}: {error}. {advice}") from error
    if not chosen and owner != os.getuid():
        raise StorageError(f"cannot keep artifacts in {folder}: it belongs to another user. {advice}")
    return folder
