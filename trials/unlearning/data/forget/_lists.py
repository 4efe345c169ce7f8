"""Reading a list of images: text with one entry a line, or a table (.csv, .tsv) with a column ``index``.

Tables are read as spreadsheets write them: separated by commas, semicolons or tabs, with or without a line ``sep=;``,
in UTF-8, UTF-16 or Latin-1. A table that could mean something else than it seems to is refused. What an entry must be
is for the caller to check.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unlearning.data._base import DataError
from unlearning.data._files import read_regular

LIMIT_BYTES = 64 << 20
"""The largest list that is read."""

WHAT = "list of images to forget"

TABLES = (".csv", ".tsv")

SEPARATORS = (",", ";", "\t")

SPLIT_COLUMN = re.compile(r"set|(.*[ _.-])?(split|subset|fold|partition)")
"""Columns that say which split a row is about, such as split or data_split."""

TRAIN = ("train", "training")

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks and what they announce; UTF-32's begins like UTF-16's."""

Entry = tuple[int, str]
"""The line of an entry, from 1, and its text."""


@dataclass(frozen=True)
class ImageList:
    """The entries of a list.

    Attributes:
        entries: read as they are taken; raises `DataError` at a line that cannot be read, and at the end where a table
            names images of other splits.
        separator: what stands between the columns of a table; None for text.
        encoding: what the file was read as.
    """

    entries: Iterator[Entry]
    separator: str | None
    encoding: str


def read_list(path: Path) -> ImageList:
    """Read a list of images.

    In text, blank lines and everything after a # are left out; in a table, rows without any content.

    Raises:
        DataError: the file cannot be read, is no text or too large, or the table has not exactly one column ``index``.
    """
    text, encoding = _decoded(path)
    if path.suffix.lower() not in TABLES:
        return ImageList(_lines(text), None, encoding)
    table = _Table.opened(path, text)
    return ImageList(table.entries(), table.separator, encoding)


def shortened(text: str, length: int = 60) -> str:
    """Cut a text for a message."""
    return text if len(text) <= length else f"{text[:length]} ..."


def _decoded(path: Path) -> tuple[str, str]:
    content = read_regular(path, LIMIT_BYTES, WHAT)
    encoding = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise DataError(f"{path}: the {WHAT} cannot be read as {encoding.upper()} ({error.reason})") from error
        text, encoding = content.decode("latin-1"), "Latin-1"
    if "\0" in text:
        raise DataError(
            f"{path}: wanted text or CSV as {WHAT}, got NUL characters, as in a workbook or in UTF-16 without a "
            "byte-order mark; save it as CSV in UTF-8"
        )
    return text, encoding or "utf-8"


def _lines(text: str) -> Iterator[Entry]:
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if entry := line.partition("#")[0].strip():
            yield number, entry


@dataclass(frozen=True)
class _Table:
    """A table of which the head has been read.

    Attributes:
        above: lines up to the head, itself included.
        columns: their names, without case and without space around them.
    """

    path: Path
    rest: io.StringIO
    separator: str
    above: int
    columns: tuple[str, ...]

    @classmethod
    def opened(cls, path: Path, text: str) -> "_Table":
        rest = io.StringIO(text, newline="")
        head, above = rest.readline(), 1
        separators: tuple[str, ...] = SEPARATORS
        if named := re.fullmatch(r'"?sep=([,;|:\t])"?', head.rstrip("\r\n"), re.IGNORECASE):
            head, above, separators = rest.readline(), 2, (named[1],)
        heads = {separator: _column_names(head, separator) for separator in separators}
        separator = max(heads, key=lambda one: ("index" in heads[one], len(heads[one])))
        columns = heads[separator]
        if columns.count("index") != 1:
            got = shortened(", ".join(filter(None, columns)), 200) or "none"
            raise DataError(f"{path}: wanted exactly one column named index, got the columns {got}")
        return cls(path, rest, separator, above, columns)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of the column ``index``, and refuse at the end what lies outside of train."""
        index = self.columns.index("index")
        about_split = [position for position, name in enumerate(self.columns) if SPLIT_COLUMN.fullmatch(name)]
        outside: Counter[tuple[str, str]] = Counter()
        count = 0
        for line, cells in self._rows():
            count += 1
            for position in about_split:
                if cells[position].casefold() not in TRAIN:
                    outside[self.columns[position], cells[position]] += 1
            yield line, cells[index]
        if outside:
            self._refuse(outside, count)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line and the cells of each row that has content, a row being a line, filled up to all columns."""
        rows = csv.reader(self.rest, delimiter=self.separator, strict=True, skipinitialspace=True)
        line = self.above
        try:
            for row in rows:
                line += 1
                if (last := self.above + rows.line_num) > line:
                    raise self._unclosed(line, f"it ends in line {last}")
                cells = [cell.strip() for cell in row]
                if any(cells[len(self.columns) :]):
                    raise DataError(
                        f"{self.path}:{line}: wanted at most {len(self.columns)} cells as in the head, got {len(cells)}"
                    )
                if any(cells):
                    yield line, cells + [""] * (len(self.columns) - len(cells))
        except csv.Error as error:
            raise self._unclosed(line + 1, str(error)) from error

    def _unclosed(self, line: int, why: str) -> DataError:
        return DataError(
            f"{self.path}:{line}: wanted one row a line, but a quoted cell of the row that begins here does not end as "
            f"it should ({why}); close its quote, or take the line breaks out of the cell"
        )

    def _refuse(self, outside: Counter[tuple[str, str]], count: int) -> None:
        column = next(iter(outside))[0]
        found = [(cell or "an empty cell", number) for (name, cell), number in outside.most_common() if name == column]
        counts = shortened(", ".join(f"{number:,} x {cell}" for cell, number in found), 200)
        raise DataError(
            f"{self.path}: wanted only images of train, which alone can be forgotten; of {count:,} rows the column "
            f"{column} says {counts}; keep the rows of train, with {column} train or without the column"
        )


def _column_names(line: str, separator: str) -> tuple[str, ...]:
    """Split the head of a table, without case and space around names; empty where quotes do not fit this separator."""
    try:
        rows = list(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error:
        return ()
    return tuple(cell.strip().casefold() for cell in rows[0]) if rows else ()
