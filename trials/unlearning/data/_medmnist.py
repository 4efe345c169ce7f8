"""MedMNIST's 2D sets, read from MedMNIST's own files."""

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from pydantic import AfterValidator, Field

from unlearning.data import catalogue
from unlearning.data._archive import read_npz
from unlearning.data._base import DataError, PathOption, RawData, Source, Split
from unlearning.tasks import task_of


def _known(name: str) -> str:
    return catalogue.find(name).name


SetName = Annotated[str, AfterValidator(_known)]


class MedMNIST(Source):
    """A set of MedMNIST (Yang et al., Scientific Data 2023), found on disk or downloaded, its checksum compared."""

    source: Literal["medmnist"] = "medmnist"
    name: SetName = Field(description="MedMNIST's name of a 2D set, such as bloodmnist")
    size: catalogue.Size = Field(28, description="side length of the images in pixels")
    root: PathOption | None = Field(None, description="folder of the files; else LETHE_DATA, else ~/.medmnist")
    download: bool = Field(True, description="whether a missing file is downloaded")
    train_fraction: Annotated[float, Interval(gt=0, lt=1)] | None = Field(
        None, description="share of each class's train images to keep, always the same ones; by default all"
    )
    nonmembers: Literal["val", "test"] | None = Field(
        None, description="split of the non-members; by default val where test is of another origin, else test"
    )

    def read(self) -> RawData:
        """Find or download the file, compare its checksum, and read it.

        Raises:
            DataError: the file is missing and cannot or must not be downloaded, is not the one MedMNIST names, or
                `train_fraction` leaves a class without a train image.
        """
        med_set = catalogue.find(self.name)
        path = catalogue.fetch(self.name, self.size, self.root, self.download)
        splits = read_npz(path).splits
        nonmembers = self.nonmembers or med_set.nonmembers
        if self.train_fraction is None:
            return RawData(path.stem, med_set.task, med_set.class_names, splits, nonmembers)
        name, whole = f"{path.stem} ({100 * self.train_fraction:g} % of train)", splits["train"]
        splits["train"] = keep_share(whole, self.train_fraction, name)
        kept_of = "drawn from all" if task_of(whole.labels_N).several else "every class in its proportion"
        note = f"train: {len(splits['train']):,} of {len(whole):,} images, {kept_of}"
        return RawData(name, med_set.task, med_set.class_names, splits, nonmembers, (note,))


def keep_share(split: Split, fraction: float, name: str) -> Split:
    """Keep a share of each class, in the split's own order; which images, depends on the labels alone.

    Where an image may have several labels, it is the share of all images.

    Raises:
        DataError: a class has too few images for one to be kept; `name` is what the message calls the set.
    """
    order_N = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    kept_N = torch.zeros(len(split), dtype=torch.bool)
    if task_of(split.labels_N).several:
        kept_N[order_N[: max(1, round(fraction * len(split)))]] = True
        return split.only(kept_N)
    for label in split.labels_N.unique().tolist():
        of_class = order_N[split.labels_N[order_N] == label]
        count = round(fraction * len(of_class))
        if not count:
            raise DataError(f"{name}: nothing is left of class {label} with {len(of_class)} images in train")
        kept_N[of_class[:count]] = True
    return split.only(kept_N)
