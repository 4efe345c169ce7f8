"""Decoded images kept in a folder by content: one file for the images of a source, memory-mapped when it is read.

A file's name is a hash of the bytes of all image files, in their order, and of how and by which Pillow they are
decoded, so whatever changes them makes another file. Behind the array lies a checksum of the images' digests; images
that do not match are decoded anew.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BufferedWriter
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unlearning.data._base import DataError, Split
from unlearning.data._files import read_regular
from unlearning.data._images import IMAGE_LIMIT_BYTES
from unlearning.data.duplicates import digest_of, image_digests
from unlearning.data.mapped import MappedImages, shared_tensor

FORMAT = 2
"""Of the files; those of another one are not read."""

AT_ONCE = 256
"""Image files that a thread reads before it takes others; one by one, threads would mostly wait for each other."""

ABANDONED_S = 3600
"""Age since the last image was written to an unfinished file after which nobody writes it any more."""

Array = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Kept:
    """Images in a file of the cache.

    Attributes:
        mapped: where they lie.
        digests: of each image, as `unlearning.data.duplicates` computes them.
    """

    mapped: MappedImages
    digests: Sequence[bytes]


def key_of(files: Sequence[Path], how: object, threads: ThreadPoolExecutor) -> str | None:
    """Return the name of the images of files; None where a file cannot be read, which decoding reports.

    Args:
        files: the image files, in order.
        how: what decides the pixels beside the files' bytes; its representation enters the name.
        threads: read the files.
    """
    groups = [files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE)]
    digests = list(chain.from_iterable(threads.map(_digests, groups)))
    return None if None in digests else hashlib.sha256(repr((FORMAT, how, digests)).encode()).hexdigest()


def kept(folder: Path, key: str) -> Kept | None:
    """Look up images and read all of them once; None where there are none, or some are damaged.

    Raises:
        DataError: the folder cannot be looked into.
    """
    path = _path(folder, key)
    with _reaching(folder):
        if not path.is_file():
            return None
    try:
        images_NCHW = np.lib.format.open_memmap(path, mode="r")
    except Exception:  # numpy evaluates the head as a Python literal, which may fail in any way
        return None
    if images_NCHW.dtype != np.uint8 or images_NCHW.ndim != 4 or not images_NCHW.flags.c_contiguous:
        return None
    found = Kept(MappedImages(path, images_NCHW.offset, images_NCHW.shape), image_digests(shared_tensor(images_NCHW)))
    with path.open("rb") as file:
        file.seek(images_NCHW.offset + images_NCHW.size)
        return found if file.read() == _checksum(found.digests) else None


class Writer:
    """Writes images to a file of the cache, one after another, so that few of them are in memory at a time.

    Attributes:
        kept: what the file holds once all are written.
    """

    def __init__(self, file: BufferedWriter, path: Path, count: int) -> None:
        self._file = file
        self._digests = list[bytes]()
        self.kept = Kept(MappedImages(path, 0, (count, 0, 0, 0)), self._digests)

    def write(self, image_CHW: Array, digest: bytes) -> None:
        """Write the next image, of the first one's shape."""
        if not self._digests:
            self._write_head(image_CHW.shape)
        self._digests.append(digest)
        self._file.write(np.ascontiguousarray(image_CHW).data)

    def _write_head(self, one: tuple[int, ...]) -> None:
        mapped = self.kept.mapped
        channels, height, width = one
        shape = (mapped.shape[0], channels, height, width)
        head = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, head)
        self.kept = replace(self.kept, mapped=replace(mapped, start_bytes=self._file.tell(), shape=shape))


def part_kept(split: Split, kept_N: Tensor) -> Split:
    """Return the images of a mask of a split that is mapped from the cache, mapped from a file of their own beside it.

    Raises:
        DataError: the folder cannot be written to.
    """
    assert split.mapped is not None
    folder, places = split.mapped.path.parent, (split.mapped.path.name, split.mapped.start_bytes)
    key = hashlib.sha256(repr((FORMAT, places)).encode() + kept_N.numpy().tobytes()).hexdigest()
    found = kept(folder, key)
    if found is None:
        with keeping(folder, key, int(kept_N.sum())) as writer:
            for n in kept_N.nonzero().flatten().tolist():
                image_CHW = split.images_NCHW[n].numpy()
                writer.write(image_CHW, digest_of(image_CHW))
        found = writer.kept
    return split.only(kept_N, shared_tensor(found.mapped.opened()), found.mapped)


@contextmanager
def keeping(folder: Path, key: str, count: int) -> Iterator[Writer]:
    """Write so many images to the folder, under a name of their own until all are there; fewer are not kept.

    Raises:
        DataError: the folder cannot be written to.
    """
    path = _path(folder, key)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with _reaching(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        try:
            with part.open("wb") as file:
                writer = Writer(file, path, count)
                yield writer
                file.write(_checksum(writer.kept.digests))
                file.flush()
                os.fsync(file.fileno())
            if len(writer.kept.digests) == count:
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes began to write: images that nobody would look for there."""
    for part in folder.glob("images-*.npy.*"):
        with suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > ABANDONED_S:
                part.unlink()


@contextmanager
def _reaching(folder: Path) -> Iterator[None]:
    """Let the system's errors name the folder and what to do."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{folder}: decoded images cannot be kept there ({error.strerror}); name another `cache`"
        ) from error


def _path(folder: Path, key: str) -> Path:
    return folder.absolute() / f"images-{key[:40]}.npy"


def _checksum(digests: Sequence[bytes]) -> bytes:
    return hashlib.sha256(b"".join(digests)).digest()


def _digests(files: Sequence[Path]) -> list[str | None]:
    return [_digest(file) for file in files]


def _digest(file: Path) -> str | None:
    try:
        return hashlib.sha256(read_regular(file, IMAGE_LIMIT_BYTES)).hexdigest()
    except DataError:
        return None  # decoding reports what is wrong with it
