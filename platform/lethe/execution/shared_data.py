"""The shared data: a study's data sets as workers find them, by content hash.

The driver reads each data set once. On Ray they travel through the object store as numpy arrays, which the workers of a
node share without copying. Images that are mapped from a file and too large for that are mapped by each worker.
"""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np
import ray
from torch import Tensor

from unlearning.data import DataError, ImageData, Split, SplitName
from unlearning.data.mapped import MappedImages, shared_tensor

MOST: Final = 0.5
"""The largest share of a node's object store that the images of a data set may take, if they are mapped from a file."""


class SharedData:
    """Data sets by content hash, assembled when first used.

    Args:
        room_bytes: images that take more, and are mapped from a file, travel as its path. None: `MOST` of the smallest
            object store of the cluster.
    """

    def __init__(self, datasets: Iterable[ImageData], room_bytes: float | None = None) -> None:
        room_bytes = _room_bytes() if room_bytes is None else room_bytes
        packed = {data.content_hash: _Packed.of(data, room_bytes) for data in datasets}
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
    """An ``ImageData`` taken apart into arrays or their places in a file, the columns of each split, and facts."""

    arrays: Mapping[str, np.ndarray[Any, Any] | MappedImages]
    columns: Mapping[SplitName, Mapping[str, tuple[str, ...]]]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, data: ImageData, room_bytes: float) -> "_Packed":
        """Take a data set apart; nothing is copied."""
        arrays: dict[str, np.ndarray[Any, Any] | MappedImages] = {"duplicate_of_N": data.duplicate_of_N.numpy()}
        splits: dict[SplitName, Split] = {name: getattr(data, name) for name in get_args(SplitName)}
        small = sum(split.images_NCHW.nbytes for split in splits.values()) <= room_bytes
        for name, split in splits.items():
            images = split.images_NCHW.numpy() if small or split.mapped is None else split.mapped
            arrays |= {f"{name}/images": images, f"{name}/labels": split.labels_N.numpy()}
        fields = ("name", "task", "class_names", "dropped", "nonmembers", "content_hash", "notes", "planted")
        columns = {name: split.columns for name, split in splits.items()}
        return cls(arrays, columns, {field: getattr(data, field) for field in fields})

    def open(self) -> ImageData:
        """Put the data set together again; nothing is copied, and nobody writes to it.

        Raises:
            DataError: its images are mapped from a file that this machine does not see.
        """
        train, val, test = (
            Split(
                self._tensor(f"{name}/images"), self._tensor(f"{name}/labels"), self.columns[name], self._mapped(name)
            )
            for name in get_args(SplitName)
        )
        return ImageData(**self.facts, train=train, val=val, test=test, duplicate_of_N=self._tensor("duplicate_of_N"))

    def _mapped(self, name: SplitName) -> MappedImages | None:
        images = self.arrays[f"{name}/images"]
        return images if isinstance(images, MappedImages) else None

    def _tensor(self, name: str) -> Tensor:
        array = self.arrays[name]
        return shared_tensor(_opened(array) if isinstance(array, MappedImages) else array)


def _opened(images: MappedImages) -> np.ndarray[Any, Any]:
    try:
        return images.opened()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{images.path}: machine {socket.gethostname()} cannot map the images from there ({error}). They are too "
            "large for the object store; name a `cache` that all machines see under one path"
        ) from error


def _room_bytes() -> float:
    """Return what images may take of the object store; without Ray they stay where they are, however large."""
    if not ray.is_initialized():
        return float("inf")
    stores = [node["Resources"].get("object_store_memory", 0.0) for node in ray.nodes() if node["Alive"]]
    return MOST * min(stores, default=0.0)
