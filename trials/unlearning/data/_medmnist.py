"""MedMNIST's 2D single-label sets, read from MedMNIST's own files."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from unlearning.data import catalogue
from unlearning.data._archive import read_npz
from unlearning.data._base import PathOption, RawData, Source


def _known(name: str) -> str:
    return catalogue.find(name).name


SetName = Annotated[str, AfterValidator(_known)]


class MedMNIST(Source):
    """A set of MedMNIST (Yang et al., Scientific Data 2023), found on disk or downloaded, its checksum compared."""

    source: Literal["medmnist"] = "medmnist"
    name: SetName = Field(description="MedMNIST's name of a 2D single-label set, such as bloodmnist")
    size: catalogue.Size = Field(28, description="side length of the images in pixels")
    root: PathOption | None = Field(None, description="folder of the files; else LETHE_DATA, else ~/.medmnist")
    download: bool = Field(True, description="whether a missing file is downloaded")
    nonmembers: Literal["val", "test"] | None = Field(
        None, description="split of the non-members; by default val where test is of another origin, else test"
    )

    def read(self) -> RawData:
        """Find or download the file, compare its checksum, and read it.

        Raises:
            DataError: the file is missing and cannot or must not be downloaded, or is not the one MedMNIST names.
        """
        med_set = catalogue.find(self.name)
        path = catalogue.fetch(self.name, self.size, self.root, self.download)
        nonmembers = self.nonmembers or med_set.nonmembers
        return RawData(path.stem, med_set.task, med_set.class_names, read_npz(path).splits, nonmembers)
