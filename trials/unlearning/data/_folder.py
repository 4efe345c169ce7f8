"""Folders of images: one folder a split (train, val, test), in it one folder a class.

In a class's folder every file that is not hidden must be an image of 8 bits a channel: nothing is skipped or clipped in
silence.
"""

from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import torch
from annotated_types import Interval
from PIL import Image, ImageOps
from pydantic import Field
from torch import Tensor

from unlearning.data._base import DataError, PathOption, RawData, Source, Split, SplitName, Task
from unlearning.data._names import natural_key

DEEP_MODES = ("I", "F")
"""Pillow's modes (and prefixes of modes, as in I;16) with more than 8 bits a channel."""


class Folder(Source):
    """Images under ``path/{train,val,test}/CLASS/``, in sorted order, brought to one size and number of channels.

    Images are turned as their EXIF orientation says and resized (bicubic) without keeping the aspect ratio. Classes are
    the folders of train in natural order: 2 before 10.
    """

    source: Literal["folder"] = "folder"
    path: PathOption = Field(description="folder that holds train, val and test")
    size: Annotated[int, Interval(ge=8, le=512)] = Field(description="side length that images are resized to, pixels")
    channels: Literal[1, 3] = Field(3, description="1 for greyscale, 3 for colour")
    name: str | None = Field(None, description="what reports call it; by default the folder's name")
    task: Task | None = Field(None, description="by default binary-class for two classes, else multi-class")
    nonmembers: Literal["val", "test"] = Field("test", description="split of the non-members")

    def read(self) -> RawData:
        """Read every image.

        Raises:
            DataError: a split is missing or empty, a class is not in train, or a file is no 8-bit image.
        """
        class_names = tuple(folder.name for folder in _folders(self._split_folder("train")))
        splits = {split: self._read_split(split, class_names) for split in get_args(SplitName)}
        task: Task = self.task or ("binary-class" if len(class_names) == 2 else "multi-class")
        return RawData(self.name or self.path.resolve().name, task, class_names, splits, self.nonmembers)

    def _split_folder(self, split: SplitName) -> Path:
        folder = self.path / split
        if not folder.is_dir():
            wanted = ", ".join(get_args(SplitName))
            raise DataError(f"{folder}: there is no such folder; wanted {wanted} in {self.path}")
        return folder

    def _read_split(self, split: SplitName, class_names: tuple[str, ...]) -> Split:
        folder = self._split_folder(split)
        if unknown := [found.name for found in _folders(folder) if found.name not in class_names]:
            raise DataError(
                f"{folder}: {', '.join(unknown)} is no class of train; the classes are {', '.join(class_names)}"
            )
        labelled = [(file, label) for label, name in enumerate(class_names) for file in _visible(folder / name)]
        if not labelled:
            raise DataError(f"{folder}: there are no images; wanted {folder}/CLASS/IMAGE")
        images_NCHW = torch.stack([self._read_image(file) for file, _ in labelled])
        return Split(images_NCHW, torch.tensor([label for _, label in labelled]))

    def _read_image(self, file: Path) -> Tensor:
        try:
            with Image.open(file) as image:
                if image.mode.startswith(DEEP_MODES):
                    raise DataError(f"{file}: wanted 8 bits a channel, got Pillow's mode {image.mode}; scale it first")
                upright = ImageOps.exif_transpose(image).convert("L" if self.channels == 1 else "RGB")
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"{file}: Pillow cannot read it as an image ({error}); mend, remove or hide it") from error
        pixels = np.array(upright.resize((self.size, self.size), Image.Resampling.BICUBIC))
        return torch.from_numpy(pixels).reshape(self.size, self.size, self.channels).permute(2, 0, 1)


def _visible(folder: Path) -> list[Path]:
    """List what a folder holds, hidden files left out, in sorted order; nothing where there is no folder."""
    return sorted(found for found in folder.glob("*") if not found.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    return sorted((found for found in _visible(folder) if found.is_dir()), key=lambda found: natural_key(found.name))
