"""The shared data: a study's data sets as workers find them, by content hash.

The driver reads each data set once. On Ray they travel through the object store as numpy arrays, which the workers of a
node share without copying.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import ray
import torch
from torch import Tensor

from unlearning.data import ImageData, Split, SplitName


class SharedData:
    """Data sets by content hash, assembled when first used."""

    def __init__(self, datasets: Iterable[ImageData]) -> None:
        packed = {data.content_hash: _Packed.of(data) for data in datasets}
        self._entries: dict[str, Any] = (
            {name: ray.put(entry) for name, entry in packed.items()} if ray.is_initialized() else dict(packed)
        )
        self._opened: dict[str, ImageData] = {}

    def __getitem__(self, content_hash: str) -> ImageData:
        if content_hash not in self._opened:
            entry = self._entries[content_hash]
            packed = ray.get(entry) if isinstance(entry, ray.ObjectRef) else entry
            self._opened[content_hash] = packed.open()
        return self._opened[content_hash]

    def __getstate__(self) -> dict[str, Any]:
        return {"_entries": self._entries, "_opened": {}}


@dataclass(frozen=True)
class _Packed:
    """An ``ImageData`` taken apart into arrays, the columns of each split, and facts."""

    arrays: Mapping[str, np.ndarray[Any, Any]]
    columns: Mapping[SplitName, Mapping[str, tuple[str, ...]]]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, data: ImageData) -> "_Packed":
        """Take a data set apart; nothing is copied."""
        arrays = {"duplicate_of_N": data.duplicate_of_N.numpy()}
        for name in get_args(SplitName):
            split: Split = getattr(data, name)
            arrays |= {f"{name}/images": split.images_NCHW.numpy(), f"{name}/labels": split.labels_N.numpy()}
        fields = ("name", "task", "class_names", "dropped", "nonmembers", "content_hash", "notes", "planted")
        columns = {name: getattr(data, name).columns for name in get_args(SplitName)}
        return cls(arrays, columns, {field: getattr(data, field) for field in fields})

    def open(self) -> ImageData:
        """Put the data set together again; nothing is copied, and nobody writes to it."""
        train, val, test = (
            Split(_tensor(self.arrays[f"{name}/images"]), _tensor(self.arrays[f"{name}/labels"]), self.columns[name])
            for name in get_args(SplitName)
        )
        return ImageData(
            **self.facts, train=train, val=val, test=test, duplicate_of_N=_tensor(self.arrays["duplicate_of_N"])
        )


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable", category=UserWarning)
        return torch.from_numpy(array)
