"""Where images come from: MedMNIST's, a user's files, folders or tables, or generated; and what is to be forgotten.

`load` turns any source into checked, hashed `ImageData` whose splits share no image.
"""

from typing import Annotated

from unlearning.data._base import (
    FILE,
    PATIENT,
    SEVERAL,
    DataError,
    ImageData,
    Planted,
    Planting,
    RawData,
    Source,
    Split,
    SplitName,
    Task,
)
from unlearning.data._facts import facts, with_distinct_names
from unlearning.data._folder import Folder
from unlearning.data._image_table import ImageTable
from unlearning.data._load import column_hashes, content_hash, load
from unlearning.data._medmnist import MedMNIST
from unlearning.data._names import class_positions
from unlearning.data._npz import Npz
from unlearning.data._synthetic import Synthetic
from unlearning.families import OptionsFamily

SOURCES: OptionsFamily[Source] = OptionsFamily(
    "data source",
    "lethe.data",
    {"medmnist": MedMNIST, "synthetic": Synthetic, "npz": Npz, "folder": Folder, "table": ImageTable},
    base=Source,
    tag="source",
)

AnySource = Annotated[Source, SOURCES]
"""A data source that options name."""

__all__ = [
    "FILE",
    "PATIENT",
    "SEVERAL",
    "SOURCES",
    "AnySource",
    "DataError",
    "Folder",
    "ImageData",
    "ImageTable",
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
    "class_positions",
    "column_hashes",
    "content_hash",
    "facts",
    "load",
    "with_distinct_names",
]
