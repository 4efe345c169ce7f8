"""What a process that was killed leaves behind on its machine: folders and processes, removed by the next one.

Each carries its owner's mark. Only what belongs to this user and to a process of this machine that has ended is
removed; the rest may be in use, also by a machine or container that shares the folder of temporary files.
"""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lethe.storage.writer_lock import Holder

OWNER_FILE: Final = "lethe-owner.json"
OWNER_VARIABLE: Final = "LETHE_OWNER"
"""In the environment of a process that must not outlive its owner, and of all that it starts."""

_PREFIX: Final = "lethe-tmp-"


def owned_folder() -> Path:
    """Make a folder among the temporary files, which a later process's `remove_leftovers` deletes."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (folder / OWNER_FILE).write_bytes(Holder.here().text())
    return folder


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a temporary folder, which is deleted afterwards: at the latest by a later `remove_leftovers`."""
    folder = owned_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Mark:
    """This process as the owner of others: they have the mark in their environment, as have all that they start."""

    text: str

    @classmethod
    def here(cls) -> "Mark":
        """Make a mark of its own for this process."""
        return cls(Holder.here().text().decode())

    def environment(self) -> dict[str, str]:
        """Return this process's environment with the mark in it."""
        return {**os.environ, OWNER_VARIABLE: self.text}

    def end_processes(self) -> None:
        """Kill the processes that have the mark."""
        _kill(lambda owner: owner == self.text.encode())


def remove_leftovers() -> None:
    """Delete the folders and kill the processes whose owner has ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.lstat().st_uid == os.getuid() and _is_ownerless((folder / OWNER_FILE).read_bytes()):
                shutil.rmtree(folder, ignore_errors=True)
    _kill(_is_ownerless)


def _kill(is_due: Callable[[bytes], bool]) -> None:
    """Kill the processes of this user whose owner's mark says so."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            owner = _owner_of(process) if process.stat().st_uid == os.getuid() else None
            if owner is not None and is_due(owner):
                os.kill(int(process.name), signal.SIGKILL)


def _is_ownerless(mark: bytes) -> bool:
    """Whether an owner has certainly ended; one that cannot be read counts as running."""
    try:
        return Holder(**json.loads(mark)).gone
    except (ValueError, TypeError):
        return False


def _owner_of(process: Path) -> bytes | None:
    """Read the mark in a process's environment; None where there is none."""
    name = f"{OWNER_VARIABLE}=".encode()
    marks = [one for one in (process / "environ").read_bytes().split(b"\0") if one.startswith(name)]
    return marks[0].removeprefix(name) if marks else None
