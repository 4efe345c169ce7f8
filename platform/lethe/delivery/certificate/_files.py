"""The files of a delivery's folder, hashed; whatever is no plain file is named too, so that nothing is overlooked."""

import hashlib
from pathlib import Path
from typing import Final

NO_FILE: Final = "no plain file"
"""Stands for the hash of a link, pipe, socket or device, which nothing is read from."""


def digests_in(folder: Path) -> dict[str, str]:
    """Return the SHA-256 in hex of each file in a folder and the folders in it, by its path there.

    Raises:
        OSError: a file cannot be read.
    """
    entries = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(folder).as_posix(): _digest(path) for path in entries}


def _digest(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return NO_FILE
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
