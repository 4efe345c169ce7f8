"""Reading a list of values, such as withdrawn patients: text with one a line, or a column of a table or workbook."""

import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearning.data._base import DataError
from unlearning.data._delimited import SUFFIXES, Delimited
from unlearning.data._files import sought
from unlearning.data._listed import listed
from unlearning.data._text import read_text
from unlearning.data._workbook import read_workbook

LIMIT_BYTES = 64 << 20
"""The largest list that is read."""

WHAT = "list of values to forget"


@dataclass(frozen=True)
class Values:
    """The values of a list.

    Attributes:
        place_of: where each value comes first, such as ``line 3``, by value, in the order of the list.
        count: the entries of the list, repeated ones too.
        notes: what was decided in reading it, a sentence each.
    """

    place_of: dict[str, str]
    count: int
    notes: tuple[str, ...]


def read_values(path: Path, column: str) -> Values:
    """Read the values of a list; in text, blank lines and those that begin with # are left out.

    Args:
        path: .csv, .tsv or .xlsx with a head; any other file is text.
        column: the column of a table, in lower case.

    Raises:
        DataError: the file cannot be read, the table lacks the column, or there is no value.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such {WHAT}{sought(path)}")
    suffix = path.suffix.lower()
    entries, notes = _of_workbook(path, column) if suffix == ".xlsx" else _of_text(path, column, suffix in SUFFIXES)
    place_of, count, empty = dict[str, str](), 0, list[str]()
    for place, entry in entries:
        if entry:
            count += 1
            place_of.setdefault(unicodedata.normalize("NFC", entry), place)
        else:
            empty.append(place)
    if not place_of:
        raise DataError(f"{path}: wanted values of {column}, got none")
    return Values(place_of, count, (*notes, *_note_on_empty(path, column, empty)))


def _note_on_empty(path: Path, column: str, empty: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence on the rows that have content, but no value; nothing where there are none."""
    if not empty:
        return ()
    rows = "1 row has" if len(empty) == 1 else f"{len(empty):,} rows have"
    return (f"{path.name}: {rows} content, but no {column}, and so no image is forgotten for: {listed(empty)}",)


def _of_workbook(path: Path, column: str) -> tuple[Iterable[tuple[str, str]], tuple[str, ...]]:
    sheet = read_workbook(path)
    (_, head), *rows = sheet.rows or [(1, [])]
    at = _position(path, column, [cell.casefold() for cell in head])
    notes = f"{path.name}: read the sheet {sheet.name}, and not {listed(sheet.others)}"
    entries = [(f"row {number}", cells[at] if at < len(cells) else "") for number, cells in rows]
    return entries, (notes,) if sheet.others else ()


def _of_text(path: Path, column: str, is_table: bool) -> tuple[Iterable[tuple[str, str]], tuple[str, ...]]:
    content = read_text(path, WHAT, LIMIT_BYTES)
    notes = (f"{path.name} is not UTF-8 and was read as {content.assumed}",) if content.assumed else ()
    if not is_table:
        return _lines(content.text), notes
    table = Delimited.opened(path, content.text, [column])
    at = _position(path, column, table.columns)
    return ((f"line {line}", cells[at]) for line, cells in table.rows()), notes


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if (entry := line.strip()) and not entry.startswith("#"):
            yield f"line {number}", entry


def _position(path: Path, column: str, columns: Sequence[str]) -> int:
    if columns.count(column) != 1:
        raise DataError(
            f"{path}: wanted exactly one column {column}, got {listed([*filter(None, columns)]) or 'none'}; "
            "the first line names the columns, and the option `values_column` says which has the values"
        )
    return columns.index(column)
