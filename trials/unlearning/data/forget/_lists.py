"""Reading a list of images: text with one entry a line, or a table (.csv, .tsv) with a column ``index``.

Tables are read as spreadsheets write them: separated by commas, semicolons or tabs, with or without a line ``sep=;``,
in UTF-8, UTF-16 or Windows-1252. A table that could mean something else than it seems to is refused. What an entry must
be is for the caller to check.
"""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unlearning.data._base import DataError
from unlearning.data._delimited import SUFFIXES, Delimited
from unlearning.data._names import SPLIT_COLUMN
from unlearning.data._text import read_text, shortened

LIMIT_BYTES = 64 << 20
"""The largest list that is read."""

WHAT = "list of images to forget"

TRAIN = ("train", "training")

Entry = tuple[int, str]
"""The line of an entry, from 1, and its text."""


@dataclass(frozen=True)
class ImageList:
    """The entries of a list.

    Attributes:
        entries: read as they are taken; raises `DataError` at a line that cannot be read, and at the end where a table
            names images of other splits.
        separator: what stands between the columns of a table; None for text.
        assumed: the encoding that it was read in where it says none and is not UTF-8; else None.
    """

    entries: Iterator[Entry]
    separator: str | None
    assumed: str | None


def read_list(path: Path) -> ImageList:
    """Read a list of images.

    In text, blank lines and everything after a # are left out; in a table, rows without any content.

    Raises:
        DataError: the file cannot be read, is no text or too large, or the table has not exactly one column ``index``.
    """
    content = read_text(path, WHAT, LIMIT_BYTES)
    if path.suffix.lower() not in SUFFIXES:
        return ImageList(_lines(content.text), None, content.assumed)
    table = Delimited.opened(path, content.text, ["index"])
    if table.columns.count("index") != 1:
        got = shortened(", ".join(filter(None, table.columns)), 200) or "none"
        raise DataError(f"{path}: wanted exactly one column named index, got the columns {got}")
    return ImageList(_entries(table), table.separator, content.assumed)


def _lines(text: str) -> Iterator[Entry]:
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if entry := line.partition("#")[0].strip():
            yield number, entry


def _entries(table: Delimited) -> Iterator[Entry]:
    """Yield the entries of the column ``index``, and refuse at the end what lies outside of train."""
    index = table.columns.index("index")
    about_split = [position for position, name in enumerate(table.columns) if SPLIT_COLUMN.fullmatch(name)]
    outside: Counter[tuple[str, str]] = Counter()
    count = 0
    for line, cells in table.rows():
        count += 1
        for position in about_split:
            if cells[position].casefold() not in TRAIN:
                outside[table.columns[position], cells[position]] += 1
        yield line, cells[index]
    if outside:
        _refuse(table.path, outside, count)


def _refuse(path: Path, outside: Counter[tuple[str, str]], count: int) -> None:
    column = next(iter(outside))[0]
    found = [(cell or "an empty cell", number) for (name, cell), number in outside.most_common() if name == column]
    counts = shortened(", ".join(f"{number:,} x {cell}" for cell, number in found), 200)
    raise DataError(
        f"{path}: wanted only images of train, which alone can be forgotten; of {count:,} rows the column "
        f"{column} says {counts}; keep the rows of train, with {column} train or without the column"
    )
