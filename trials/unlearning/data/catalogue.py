"""MedMNIST's sets and their files: what exists, where a file is looked for, fetching it and checking it.

The sets, their addresses and checksums are those of the installed `medmnist`. Its dataset classes are not used, since
they return one PIL image at a time.
"""

import ast
import hashlib
import os
import zipfile
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from unlearning.data._base import DataError, SplitName, Task
from unlearning.errors import InputError

Size = Literal[28, 64, 128, 224]
Verdict = Literal["whole", "missing", "truncated", "other"]

ROOT_VARIABLE = "LETHE_DATA"

DEFAULT_ROOT = "~/.medmnist"


@dataclass(frozen=True)
class Download:
    """One file of a set: where it comes from, and what its bytes must hash to."""

    url: str
    md5: str


@dataclass(frozen=True)
class MedSet:
    """What is known about a 2D set of MedMNIST before any file is read.

    Attributes:
        name: MedMNIST's name of the set, as in its file names.
        task: MedMNIST's word for the kind of labels.
        class_names: one per class.
        channels: 1 for greyscale, 3 for colour.
        samples: the number of images in each split.
        downloads: by side length in pixels.
        nonmembers: the split to take non-members from: val where test is of another origin.
    """

    name: str
    task: Task
    class_names: tuple[str, ...]
    channels: Literal[1, 3]
    samples: dict[SplitName, int]
    downloads: dict[int, Download]
    nonmembers: Literal["val", "test"]

    def path(self, size: int, root: Path | None = None) -> Path:
        """Name the file for images of ``size`` x ``size`` pixels under the data root, whether it exists or not."""
        return data_root(root) / f"{self.name}{_suffix(size)}.npz"

    def found(self, root: Path | None = None) -> dict[int, Path]:
        """List the files that exist under the data root, by size, unchecked.

        Raises:
            DataError: the data root was named, and there is no such folder.
        """
        check_root(root)
        return {size: path for size in self.downloads if (path := self.path(size, root)).is_file()}


@dataclass(frozen=True)
class FileCheck:
    """What became of checking a set's file.

    Attributes:
        path: where the file is looked for.
        verdict: "whole" (the checksum is right), "missing", "truncated" or "other" (not that file).
        advice: what is wrong and what to do about it, in one sentence.
    """

    path: Path
    verdict: Verdict
    advice: str


def data_root(root: Path | None = None) -> Path:
    """Choose the folder of MedMNIST's files: ``root``, else the environment's LETHE_DATA, else ``~/.medmnist``."""
    return root or Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).expanduser()


def check_root(root: Path | None = None) -> None:
    """Check that the folder of MedMNIST's files exists, unless it is the default one, which a download makes.

    Raises:
        DataError: ``root`` or LETHE_DATA names no folder.
    """
    chosen = data_root(root)
    if not chosen.is_dir() and (root or os.environ.get(ROOT_VARIABLE)):
        named_by = "the option `root`" if root else f"the environment's {ROOT_VARIABLE}"
        got = "something that is no folder" if chosen.exists() else "nothing there"
        raise DataError(f"{named_by}: wanted an existing folder at {chosen}, got {got}; correct it, or make the folder")


def find(name: str) -> MedSet:
    """Find a set by MedMNIST's name.

    Raises:
        InputError: there is no such set, or it is not a 2D one; the message lists the valid names.
    """
    if name in sets():
        return sets()[name]
    if name not in _info():
        near = get_close_matches(name, sets(), n=1)
        problem = f"unknown MedMNIST set {name!r}" + (f" (did you mean {near[0]}?)" if near else "")
    else:
        problem = f"{name} holds volumes, and Lethe works on 2D images"
    raise InputError(f"{problem}; valid names: {', '.join(sets())}")


@cache
def sets() -> dict[str, MedSet]:
    """List the 2D sets of the installed `medmnist`, by name."""
    return {name: _med_set(name, info) for name, info in _info().items() if not _is_3d(info)}


def check(name: str, size: int = 28, root: Path | None = None) -> FileCheck:
    """Compare a set's file with the checksum that MedMNIST gives for it.

    Raises:
        DataError: the data root was named, and there is no such folder.
        InputError: there is no such set or size.
    """
    med_set = find(name)
    check_root(root)
    path, download = med_set.path(size, root), _download(med_set, size)
    if path.exists() and not path.is_file():
        return FileCheck(path, "other", f"{path} is no regular file, which is what was wanted; remove it")
    if not path.is_file():
        return FileCheck(path, "missing", f"there is no {path}; fetch it from {download.url}")
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    if md5 == download.md5:
        return FileCheck(path, "whole", f"{path} is MedMNIST's file")
    if not zipfile.is_zipfile(path):
        return FileCheck(path, "truncated", f"{path} is truncated or no archive at all; delete it and fetch it again")
    return FileCheck(
        path,
        "other",
        f"{path} has MD5 {md5}, wanted {download.md5}: it is another version or was changed; delete it and fetch it "
        "again, or read it as your own file with the source `npz`",
    )


def fetch(name: str, size: int = 28, root: Path | None = None, download: bool = True) -> Path:
    """Find a set's file under the data root, or download it there; either way its checksum is right.

    A download has another name until it is whole and checked. An existing file is never replaced.

    Raises:
        DataError: the data root was named and is no folder, or the file is missing and cannot or must not be
            downloaded, or is truncated, or is another file.
        InputError: there is no such set or size.
    """
    found = check(name, size, root)
    if found.verdict == "missing" and download:
        download_checked(_download(find(name), size), found.path)
    elif found.verdict == "missing":
        raise DataError(f"{name}: {found.advice} or allow the download; another folder can be named by {ROOT_VARIABLE}")
    elif found.verdict != "whole":
        raise DataError(f"{name}: {found.advice}")
    return found.path


def download_checked(download: Download, path: Path) -> None:
    """Download a file to ``path``, which exists only once the bytes are all there and hash to what they must.

    Raises:
        DataError: the address cannot be reached, the folder cannot be written, or other bytes came than were wanted.
    """
    import pooch  # with requests: for downloads alone

    progress = pooch.HTTPDownloader(progressbar=True, chunk_size=2**20)
    try:
        pooch.retrieve(download.url, f"md5:{download.md5}", path.name, path.parent, downloader=progress)
    except OSError as error:
        raise DataError(
            f"{download.url} could not be downloaded to {path} ({error}); where there is no network, copy the file "
            f"there by hand, or name the folder that holds it by {ROOT_VARIABLE}"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{download.url} gave other bytes than MedMNIST's MD5 {download.md5} says, and they were thrown away; try "
            "again, and if it stays so, look for a newer release of medmnist"
        ) from error


OTHER_ORIGIN = frozenset({"pathmnist", "organamnist", "organcmnist", "organsmnist", "pneumoniamnist", "octmnist"})
"""Sets whose test images come from another clinical centre, or from other scans or patients than train and val.

MedMNIST says so of all of them but leaves open what it does; docs/methods.md has what was measured.
"""


def _med_set(name: str, info: dict[str, Any]) -> MedSet:
    return MedSet(
        name=name,
        task=info["task"],
        class_names=tuple(info["label"][str(label)] for label in range(len(info["label"]))),
        channels=info["n_channels"],
        samples=info["n_samples"],
        downloads={
            size: Download(info[f"url{_suffix(size)}"], info[f"MD5{_suffix(size)}"])
            for size in (28, 64, 128, 224)
            if f"url{_suffix(size)}" in info
        },
        nonmembers="val" if name in OTHER_ORIGIN else "test",
    )


def _download(med_set: MedSet, size: int) -> Download:
    if size not in med_set.downloads:
        raise InputError(f"{med_set.name} has no size {size}; valid sizes: {', '.join(map(str, med_set.downloads))}")
    return med_set.downloads[size]


def _suffix(size: int) -> str:
    return "" if size == 28 else f"_{size}"


def _is_3d(info: dict[str, Any]) -> bool:
    return str(info["python_class"]).endswith("3D")


@cache
def _info() -> dict[str, dict[str, Any]]:
    """Read medmnist's table from its source code: importing it takes seconds, and makes a folder in the user's home."""
    package = find_spec("medmnist")
    for folder in package.submodule_search_locations or () if package else ():
        for statement in ast.parse((Path(folder) / "info.py").read_text(encoding="utf-8")).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="INFO")], value=table):
                    return dict(ast.literal_eval(table))
    from medmnist import INFO

    return dict(INFO)
