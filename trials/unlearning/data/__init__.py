"""Where images come from: MedMNIST's files, a user's own files or folders, or generated; and what is to be forgotten.

`load` turns any source into checked, hashed `ImageData` whose splits share no image.
"""

from typing import Annotated

from unlearning.data._base import DataError, ImageData, Planted, Planting, RawData, Source, Split, SplitName, Task
from unlearning.data._facts import facts
from unlearning.data._folder import Folder
from unlearning.data._load import content_hash, load
from unlearning.data._medmnist import MedMNIST
from unlearning.data._npz import Npz
from unlearning.data._synthetic import Synthetic
from unlearning.families import OptionsFamily

SOURCES: OptionsFamily[Source] = OptionsFamily(
    "data source",
    "lethe.data",
    {"medmnist": MedMNIST, "synthetic": Synthetic, "npz": Npz, "folder": Folder},
    base=Source,
    tag="source",
)

AnySource = Annotated[Source, SOURCES]
"""A data source that options name."""

__all__ = [
    "SOURCES",
    "AnySource",
    "DataError",
    "Folder",
    "ImageData",
    "MedMNIST",
    "Npz",
    "Planted",
    "Planting",
    "RawData",
    "Source",
    "Split",
    "SplitName",
    "Synthetic",
    "Task",
    "content_hash",
    "facts",
    "load",
]
