"""Folders of images: one folder a split (train, val, test), in it one folder a class.

In a class's folder every file must be an image that `read_image` takes. Hidden files and those of the system are left
out, as is what lies beside the folders that are read; all of it is named in the notes.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, Self, get_args

import torch
from PIL import Image
from pydantic import Field, model_validator

from unlearning.data._base import FILE, SEVERAL, DataError, PathOption, RawData, Split, SplitName
from unlearning.data._clutter import is_clutter
from unlearning.data._decode import ImageFiles
from unlearning.data._decoded import Decoded, decode
from unlearning.data._files import sought
from unlearning.data._listed import listed
from unlearning.data._names import natural_key


class Folder(ImageFiles):
    """Images under ``path/{train,val,test}/CLASS/``, in sorted order, brought to one size and number of channels.

    Images are turned as their EXIF orientation says. Classes are the folders of train in natural order, 2 before 10;
    their names are compared in Unicode's composed form (NFC).
    """

    source: Literal["folder"] = "folder"
    path: PathOption = Field(description="folder that holds train, val and test")

    @model_validator(mode="after")
    def _has_one_class_an_image(self) -> Self:
        if self.task == SEVERAL:
            raise ValueError(
                f"folders name one class an image; for the task {SEVERAL!r} list the images in a table (source: table) "
                "with label_columns or label_separator"
            )
        return self

    def read(self) -> RawData:
        """Read every image.

        Raises:
            DataError: a split is missing or empty, a class is not in train, images lie beside the classes, an image is
                unfit (all of them are named), or the images take more than `limit_gib`.
        """
        class_names = tuple(_by_class_name(self._split_folder("train")))
        labelled = {split: self._files(split, class_names) for split in get_args(SplitName)}
        notes = tuple(_notes_on_left_out(self.path))
        files = [file for of_split in labelled.values() for file, _ in of_split]
        decoded = decode(self.path, files, self.decoding, self.limit_gib, self.cache)
        if not isinstance(decoded, Decoded):
            raise DataError(_in_one(self.path, decoded) + _advice_on_folders(files))
        splits, digests, end = dict[SplitName, Split](), dict[SplitName, Sequence[bytes]](), 0
        for split, of_split in labelled.items():
            first, end = end, end + len(of_split)
            names = tuple("/".join(file.parts[-3:]) for file, _ in of_split)
            labels_N = torch.tensor([label for _, label in of_split])
            splits[split], digests[split] = decoded.split(first, end, labels_N, {FILE: names})
        name, task = self.name or self.path.resolve().name, self.task_of(len(class_names))
        return RawData(name, task, class_names, splits, self.nonmembers, notes, digests)

    def _split_folder(self, split: SplitName) -> Path:
        folder = self.path / split
        if not folder.is_dir():
            wanted = ", ".join(get_args(SplitName))
            raise DataError(f"{folder}: there is no such folder; wanted {wanted} in {self.path}{sought(folder)}")
        return folder

    def _files(self, split: SplitName, class_names: tuple[str, ...]) -> list[tuple[Path, int]]:
        """List the image files of a split, each with its label."""
        folder = self._split_folder(split)
        if loose := [found.name for found in _visible(folder) if _is_loose_image(found)]:
            raise DataError(f"{folder}: wanted images in folders of classes only, got beside them {listed(loose)}")
        by_name = _by_class_name(folder)
        if unknown := [name for name in by_name if name not in class_names]:
            raise DataError(f"{folder}: {listed(unknown)} is no class of train; the classes are {listed(class_names)}")
        present = [(by_name[name], label) for label, name in enumerate(class_names) if name in by_name]
        labelled = [(file, label) for class_folder, label in present for file in _images(class_folder)]
        if not labelled:
            raise DataError(f"{folder}: there are no images; wanted {folder}/CLASS/IMAGE")
        return labelled


def _by_class_name(folder: Path) -> dict[str, Path]:
    """List the class folders of a split by their names in NFC, in the order of the folders."""
    by_name = dict[str, Path]()
    for found in _folders(folder):
        name = unicodedata.normalize("NFC", found.name)
        if name in by_name:
            raise DataError(f"{folder}: two folders are called {name}, in different Unicode forms; merge them")
        if _is_class(found):
            by_name[name] = found
    return by_name


def _is_class(found: Path) -> bool:
    return found.is_dir() and not is_clutter(found.name)


def _images(folder: Path) -> list[Path]:
    return [found for found in _visible(folder) if not is_clutter(found.name)]


def _is_loose_image(found: Path) -> bool:
    return not (found.is_dir() or is_clutter(found.name)) and found.suffix.lower() in _image_suffixes()


@cache
def _image_suffixes() -> frozenset[str]:
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN)


def _in_one(path: Path, problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return f"{path}: {len(problems)} images cannot be used\n  " + listed(problems, "\n  ")


def _advice_on_folders(files: Sequence[Path]) -> str:
    """Return how images in a folder for each patient are named; empty where a class has no folders."""
    if not any(file.is_dir() for file in files):
        return ""
    return (
        "\n  images lie in the folder of their class itself; where each patient has a folder, list the images in a "
        "table with the columns file, label and patient ({source: table}), so that requests can name patients too"
    )


def _notes_on_left_out(path: Path) -> Iterator[str]:
    """Yield a sentence that names the contents of the folders that are not images of a class."""
    splits = [path / split for split in get_args(SplitName)]
    beside_splits = [found for found in _all_in(path) if found not in splits]
    in_splits = [found for split in splits for found in _all_in(split)]
    in_classes = [name for folder in in_splits if _is_class(folder) for name in _names_in(folder)]
    beside_classes = [found for found in in_splits if not _is_class(found)]
    names = Counter(found.name for found in (*beside_splits, *beside_classes)) + Counter(filter(is_clutter, in_classes))
    if names:
        yield f"left out of {path}: {listed([_times(name, names[name]) for name in sorted(names)])}"


def _all_in(folder: Path) -> list[Path]:
    return [folder / name for name in _names_in(folder)]


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError as error:
        raise DataError(f"{folder}: the folder cannot be listed ({error.strerror})") from error


def _times(name: str, count: int) -> str:
    return name if count == 1 else f"{name} ({count} times)"


def _visible(folder: Path) -> list[Path]:
    """List what a folder holds, hidden files left out, in sorted order; nothing where there is no folder."""
    if not folder.is_dir():
        return []
    return [folder / name for name in sorted(_names_in(folder)) if not name.startswith(".")]


def _folders(folder: Path) -> list[Path]:
    return sorted((found for found in _visible(folder) if found.is_dir()), key=lambda found: natural_key(found.name))
