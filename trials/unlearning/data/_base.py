"""What every data source returns: three splits of images as uint8, and what must be known about them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from unlearning.data.mapped import MappedImages
from unlearning.errors import UnlearningError
from unlearning.options import LaterOptions
from unlearning.tasks import LabelTask, task_of

Task = Literal["binary-class", "multi-class", "ordinal-regression", "multi-label, binary-class"]
"""The kind of labels in MedMNIST's words."""

SEVERAL: Final[Task] = "multi-label, binary-class"
"""The task in which an image has any number of labels."""

SplitName = Literal["train", "val", "test"]

PATIENT, FILE = "patient", "file"
"""Columns whose meaning is known: whom an image is of, and its file's name as the source writes it."""

Planting = Literal["labels", "noise"]
"""What a request changes in the images that are to be forgotten before any model is trained on them."""

PathOption = Annotated[Path, Field(strict=False), AfterValidator(Path.expanduser)]
"""A path that may be given as text, with ``~`` for the home folder."""


class DataError(UnlearningError):
    """Data that cannot be found, fetched or used; the message says what, where and what to do."""


@dataclass(frozen=True)
class Split:
    """Images and labels of one split.

    Attributes:
        images_NCHW: uint8, (N, C, H, W).
        labels_N: int64, (N,), in 0 ... K-1; where an image has any number of labels, (N, K), of 0 and 1.
        columns: what else is known of each image, by lower-case name: N texts, empty where nothing is known.
            `PATIENT` and `FILE` are two of the names; the others are the source's own, such as a site or a scanner.
        mapped: the file that the images are mapped from, so that other processes need no copy; None where they are in
            memory.
    """

    images_NCHW: Tensor
    labels_N: Tensor
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mapped: MappedImages | None = None

    def __len__(self) -> int:
        return len(self.labels_N)

    def to(self, device: torch.device) -> "Split":
        """Copy the split to ``device``."""
        return Split(self.images_NCHW.to(device), self.labels_N.to(device), self.columns)

    def only(self, kept_N: Tensor, images_MCHW: Tensor | None = None, mapped: MappedImages | None = None) -> "Split":
        """Return the images of a mask, bool, (N,), in their order, with their labels and columns.

        Args:
            images_MCHW: these images, where they are there already; None copies them.
            mapped: the file that they are mapped from, if any.
        """
        kept = kept_N.tolist()
        columns = {name: tuple(compress(texts_N, kept)) for name, texts_N in self.columns.items()}
        images_MCHW = self.images_NCHW[kept_N] if images_MCHW is None else images_MCHW
        return Split(images_MCHW, self.labels_N[kept_N], columns, mapped)


@dataclass(frozen=True)
class Planted:
    """What a request changed in the F train images of D_f, in their order, before any model was trained on them.

    Attributes:
        labels_F: int64, (F,): the labels before.
        images_FCHW: uint8, (F, C, H, W): the images before, where they were changed.
        noise_FCHW: float32, in ranges of a pixel: the noise that was added to them, before rounding and clipping.
    """

    labels_F: Tensor
    images_FCHW: Tensor | None = None
    noise_FCHW: Tensor | None = None


@dataclass(frozen=True)
class ImageData:
    """A data set that is ready for training: checked, hashed, and with its byte-identical images accounted for.

    Attributes:
        name: what reports call it.
        task: MedMNIST's word for the kind of labels.
        class_names: one per class, K of them, or per label where an image may have several.
        train, val, test: the splits; val and test hold no image that is also in train.
        duplicate_of_N: int64, (N,): for each train image the index of the first byte-identical train image (its own if
        none). dropped: how many val and test images were dropped because they are also in train.
        nonmembers: the split whose images a membership attack takes as non-members when it reports.
        content_hash: SHA-256 (hex) over the arrays of the three splits.
        notes: what a reader should know about how the data was read, a sentence each.
        planted: what a forget request changed in the train split; None in data as its source has it.
    """

    name: str
    task: Task
    class_names: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    duplicate_of_N: Tensor
    dropped: dict[Literal["val", "test"], int]
    nonmembers: Literal["val", "test"]
    content_hash: str
    notes: tuple[str, ...] = ()
    planted: Planted | None = None

    @property
    def classes(self) -> int:
        """The number of classes, K."""
        return len(self.class_names)

    @property
    def labelling(self) -> LabelTask:
        """What the labels mean."""
        return task_of(self.train.labels_N)

    @property
    def duplicates(self) -> int:
        """How many train images repeat an earlier train image byte for byte."""
        return int((self.duplicate_of_N != torch.arange(len(self.duplicate_of_N))).sum())


@dataclass(frozen=True)
class RawData:
    """The splits as a source found them, before checks and before duplicates are looked for.

    Attributes:
        notes: what the source left out or decided, a sentence each.
        digests: those of `unlearning.data.duplicates`, of each image of a split, where the source knows them.
    """

    name: str
    task: Task
    class_names: tuple[str, ...]
    splits: dict[SplitName, Split]
    nonmembers: Literal["val", "test"]
    notes: tuple[str, ...] = ()
    digests: Mapping[SplitName, Sequence[bytes]] = field(default_factory=dict)


class Source(LaterOptions, ABC):
    """A place where images come from; each member of the family adds its own options.

    Attributes:
        version: raised by hand when the same images and labels come to mean something else, such as another order of
            the classes. What changes the images or labels themselves needs no new version: their hash changes.
    """

    version: ClassVar[int] = 1

    @abstractmethod
    def read(self) -> RawData:
        """Read (or fetch, or generate) the three splits.

        Raises:
            DataError: what is wrong with the data, where, and what to do about it.
        """
