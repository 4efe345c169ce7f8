"""Reading MedMNIST's file layout: an .npz archive with ``{train,val,test}_images`` and ``{train,val,test}_labels``.

Nothing is unpickled. Whether the arrays fit together is checked by `load`, not here.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from unlearning.data._base import DataError, Split, SplitName

Array = np.ndarray[Any, np.dtype[Any]]

KEYS = tuple(f"{split}_{part}" for split in get_args(SplitName) for part in ("images", "labels"))


def read_npz(path: Path) -> dict[SplitName, Split]:
    """Read the three splits of an archive in MedMNIST's layout.

    Images are (N, H, W) for one channel or (N, H, W, C); labels are integers, (N,) or (N, 1).

    Raises:
        DataError: the file is missing, truncated or damaged, or lacks arrays of that layout.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: no whole .npz archive: it is truncated or another kind of file; get or make it anew")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if missing := [key for key in KEYS if key not in archive]:
                raise DataError(f"{path}: wanted the arrays {', '.join(KEYS)}; missing are {', '.join(missing)}")
            return {split: _split(path, split, archive) for split in get_args(SplitName)}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise DataError(f"{path}: the archive cannot be read ({error}); get or make it anew") from error


def _split(path: Path, split: SplitName, archive: Any) -> Split:
    images, labels = archive[f"{split}_images"], archive[f"{split}_labels"]
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(f"{path}, {split}_images: wanted uint8 (N, H, W) or (N, H, W, C), got {_form(images)}")
    if labels.dtype.kind not in "iu" or (labels.ndim != 1 and labels.shape[1:] != (1,)):
        raise DataError(f"{path}, {split}_labels: wanted integers (N,) or (N, 1), got {_form(labels)}")
    return Split(_channels_first(images), torch.from_numpy(labels.reshape(-1).astype(np.int64)))


def _channels_first(images: Array) -> Tensor:
    images_NHWC = images if images.ndim == 4 else images[..., None]
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images_NHWC, -1, 1)))


def _form(array: Array) -> str:
    return f"{array.dtype} {array.shape}"
