"""The columns that requests can name: those of the data, and the class of each image as ``label``;
of several labels the names joined by " + "."""

import unicodedata
from collections.abc import Mapping

from unlearning.data._base import DataError, ImageData, Split, SplitName
from unlearning.data._listed import listed

LABEL = "label"

HELD_OUT: tuple[SplitName, ...] = ("val", "test")


def columns_of(split: Split, data: ImageData) -> Mapping[str, tuple[str, ...]]:
    """Return the columns of a split by name, N texts each, in Unicode's composed form (NFC)."""
    names = tuple(data.labelling.names(split.labels_N, data.class_names))
    columns = {LABEL: names, **split.columns}
    return {name: tuple(unicodedata.normalize("NFC", text) for text in texts) for name, texts in columns.items()}


def column_of(split: Split, data: ImageData, column: str) -> tuple[str, ...]:
    """Return a column of a split, N texts.

    Raises:
        DataError: there is no such column; the message lists those that there are.
    """
    columns = columns_of(split, data)
    if column not in columns:
        raise DataError(f"{data.name} has no column {column}; its columns are {listed([*columns])}")
    return columns[column]


def note_on_held_out(label: str, counts: Mapping[SplitName, int]) -> tuple[str, ...]:
    """Return a sentence on the images of val and test that a request names as well; nothing where there are none."""
    found = " and ".join(f"{count:,} of {split}" for split, count in counts.items() if count)
    return (f"{label}: names {found} too, which no model is trained on; they stay there",) if found else ()
