"""Decoded images kept in a folder by content: one file for the images of a source, memory-mapped when it is read.

A file's name is a hash of the bytes of all image files, in their order, and of how and by which Pillow they are
decoded, so whatever changes them makes another file. Behind the array lies its checksum; images that do not match are
decoded anew.
"""

import hashlib
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from unlearning.data._base import DataError
from unlearning.data._files import read_regular
from unlearning.data._images import IMAGE_LIMIT_BYTES

CHECKSUM_BYTES = 32

Array = np.ndarray[Any, np.dtype[np.uint8]]


def cached(
    folder: Path, files: Sequence[Path], how: object, threads: ThreadPoolExecutor
) -> tuple[str | None, Array | None]:
    """Look up the images of files.

    Args:
        folder: where they may be.
        files: the image files, in order.
        how: what decides the pixels beside the files' bytes; its representation enters the name.
        threads: read the files.

    Returns:
        The name of the images, None where a file cannot be read; and the images, None where they are not there whole.
    """
    digests = list(threads.map(_digest, files))
    if None in digests:
        return None, None
    key = hashlib.sha256(repr((how, digests)).encode()).hexdigest()
    return key, _opened(_path(folder, key))


def keep(folder: Path, key: str, images_NCHW: Array) -> None:
    """Write images to the folder, under a name of their own until they are whole.

    Raises:
        DataError: the folder cannot be written to.
    """
    path = _path(folder, key)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _write(part, images_NCHW)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder}: decoded images cannot be kept there ({error.strerror}); name another `cache`"
        ) from error


def _write(path: Path, images_NCHW: Array) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, images_NCHW, allow_pickle=False)
        file.write(hashlib.sha256(images_NCHW.data).digest())
        file.flush()
        os.fsync(file.fileno())


def _path(folder: Path, key: str) -> Path:
    return folder / f"images-{key[:40]}.npy"


def _digest(file: Path) -> str | None:
    try:
        return hashlib.sha256(read_regular(file, IMAGE_LIMIT_BYTES)).hexdigest()
    except DataError:
        return None  # decoding reports what is wrong with it


def _opened(path: Path) -> Array | None:
    """Map the images of a file into memory; None where there is none, or one that is damaged."""
    if not path.is_file():
        return None
    try:
        images_NCHW: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    with path.open("rb") as file:
        file.seek(-CHECKSUM_BYTES, os.SEEK_END)
        whole = file.read() == hashlib.sha256(images_NCHW.data).digest()
    return images_NCHW if whole else None
