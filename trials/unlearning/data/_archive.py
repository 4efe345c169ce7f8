"""Reading MedMNIST's file layout: an .npz archive with ``{train,val,test}_images`` and ``{train,val,test}_labels``.

Nothing is unpickled, and an archive is measured before its arrays are read: by the sizes in its directory and by the
header of each array. Whether the arrays fit together is checked by `load`, not here.
"""

import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
import torch
from torch import Tensor

from unlearning.data._base import DataError, Split, SplitName
from unlearning.data._files import sought
from unlearning.data._limit import check_limit

Array = np.ndarray[Any, np.dtype[Any]]

KEYS = tuple(f"{split}_{part}" for split in get_args(SplitName) for part in ("images", "labels"))

CHANNELS = (1, 3)

UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    MemoryError,
    RuntimeError,
    ValueError,
)
"""What `zipfile`, its decompressor and numpy raise for damaged and forged archives."""

PER_IMAGE_BYTES = 256
"""Approximate bytes of an image beside its pixels: its label, and the digest by which repeats are found."""

LABEL_BYTES = 8
"""Bytes of a label, where an image has several."""

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What numpy writes. `zipfile` unpacks the others by more than is asked of it, so a small member may take gigabytes."""


@dataclass(frozen=True)
class Archive:
    """What an archive holds.

    Attributes:
        splits: its images and labels.
        other_arrays: names of arrays that are no part of the layout and were not read.
    """

    splits: dict[SplitName, Split]
    other_arrays: tuple[str, ...]


@dataclass(frozen=True)
class _Header:
    """What an array's own header says: shape and type, and the bytes that both make."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


def read_npz(path: Path, limit_gib: float | None = None) -> Archive:
    """Read the three splits of an archive in MedMNIST's layout.

    Images are (N, H, W) for one channel or (N, H, W, C) with 1 or 3 channels; labels are integers, (N,) or (N, 1), or,
    where an image has any number of labels, (N, L) of 0 and 1.

    Args:
        path: the archive.
        limit_gib: how much memory images and labels may take together, GiB; None for a file whose checksum is known.

    Raises:
        DataError: the file is missing, no regular file, truncated or damaged, lacks arrays of that layout, or holds
            more than the limit.
    """
    _check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path, archive)
            headers = {key: _header(path, key, archive, members[key]) for key in KEYS}
            _check_headers(path, headers)
            check_limit(path, _memory_bytes(headers), limit_gib)
            splits: dict[SplitName, Split] = {split: _read(split, archive, members) for split in get_args(SplitName)}
    except UNREADABLE as error:
        raise DataError(f"{path}: the archive cannot be read ({error}); get or make it anew") from error
    return Archive(splits, tuple(sorted(members.keys() - set(KEYS))))


def _check_file(path: Path) -> None:
    if not path.exists():
        raise DataError(f"{path}: there is no such file{sought(path)}")
    if not path.is_file():
        raise DataError(f"{path}: wanted an .npz archive in a regular file, got a folder, a pipe or a device")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: no whole .npz archive: it is truncated or another kind of file; get or make it anew")


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if missing := [key for key in KEYS if key not in members]:
        raise DataError(f"{path}: wanted the arrays {', '.join(KEYS)}; missing are {', '.join(missing)}")
    counts = Counter(info.filename.removesuffix(".npy") for info in archive.infolist())
    if repeated := [key for key in KEYS if counts[key] > 1]:
        raise DataError(f"{path}: wanted each array once, got several of {', '.join(repeated)}")
    if foreign := [key for key in KEYS if members[key].compress_type not in COMPRESSIONS]:
        raise DataError(
            f"{path}: wanted arrays stored or deflated, as numpy writes them; not so are {', '.join(foreign)}"
        )
    return members


def _header(path: Path, key: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Header:
    with archive.open(member) as stream:
        header = _read_header(stream)
        held_bytes = member.file_size - stream.tell()
    if min(header.shape, default=0) < 0 or (not header.dtype.hasobject and header.size_bytes != held_bytes):
        raise DataError(
            f"{path}, {key}: its header says {header}, {header.size_bytes:,} bytes, and the archive holds "
            f"{held_bytes:,}; make it anew"
        )
    return header


def _read_header(stream: IO[bytes]) -> _Header:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, _, dtype = read(stream)
    except Exception as error:  # numpy evaluates the text as a Python literal, which may fail in any way
        raise ValueError(f"no header of an array: {error}") from error
    return _Header(shape, dtype)


def _check_headers(path: Path, headers: Mapping[str, _Header]) -> None:
    for split in get_args(SplitName):
        images, labels = headers[f"{split}_images"], headers[f"{split}_labels"]
        if images.dtype != np.uint8 or len(images.shape) not in (3, 4):
            raise DataError(f"{path}, {split}_images: wanted uint8 (N, H, W) or (N, H, W, C), got {images}")
        if len(images.shape) == 4 and images.shape[3] not in CHANNELS:
            raise DataError(
                f"{path}, {split}_images: wanted 1 or 3 channels in the last place (NHWC), got {images}"
                f"{_advice_on_channels(images.shape)}"
            )
        if labels.dtype.kind not in ("iub" if _has_several(labels.shape) else "iu") or len(labels.shape) not in (1, 2):
            raise DataError(
                f"{path}, {split}_labels: wanted integers (N,) or (N, 1), or (N, L) of 0 and 1 for several labels an "
                f"image, got {labels}"
            )


def _memory_bytes(headers: Mapping[str, _Header]) -> int:
    """Measure what is kept: the images' pixels, and for each label what goes with an image."""
    pixels = sum(headers[f"{split}_images"].size_bytes for split in get_args(SplitName))
    shapes = [headers[f"{split}_labels"].shape for split in get_args(SplitName)]
    several = sum(LABEL_BYTES * math.prod(shape) for shape in shapes if _has_several(shape))
    return pixels + several + sum(PER_IMAGE_BYTES * shape[0] for shape in shapes)


def _has_several(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[1] != 1


def _advice_on_channels(shape: tuple[int, ...]) -> str:
    if shape[1] in CHANNELS:
        return "; it looks like channels first (NCHW): save `images.transpose(0, 2, 3, 1)`"
    return "; an alpha channel must be composited or cut off" if shape[3] in (2, 4) else ""


def _read(split: SplitName, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> Split:
    arrays: dict[str, Array] = {}
    for part in ("images", "labels"):
        with archive.open(members[f"{split}_{part}"]) as stream:
            arrays[part] = np.lib.format.read_array(stream, allow_pickle=False)
    labels = arrays["labels"] if _has_several(arrays["labels"].shape) else arrays["labels"].reshape(-1)
    labels_N = torch.from_numpy(labels.astype(np.int64))
    return Split(_channels_first(arrays["images"]), labels_N)


def _channels_first(images: Array) -> Tensor:
    images_NHWC = images if images.ndim == 4 else images[..., None]
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images_NHWC, -1, 1)))
