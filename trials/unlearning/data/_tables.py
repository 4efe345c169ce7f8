"""Reading a table of images whole, every cell as text: CSV or TSV as spreadsheets write them, or Parquet.

Names of columns are taken without case. Nothing is guessed about types: a patient 0012 stays 0012. In Parquet a missing
value, NaN too, is an empty text, and a whole number is written without decimals, also where a data frame made it 12.0.
"""

import glob
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearning.data._base import DataError
from unlearning.data._delimited import SUFFIXES, Delimited
from unlearning.data._files import sought
from unlearning.data._listed import listed
from unlearning.data._text import read_text

LIMIT_BYTES = 512 << 20
"""The largest table of text that is read."""

WHAT = "table of images"

FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True)
class Table:
    """The rows of a table.

    Attributes:
        columns: R texts each, without space around them, by name in lower case.
        places: how messages name each row: ``line 7`` of a text, ``row 6`` of Parquet, counted from 1.
        notes: what was decided in reading it, a sentence each.
    """

    path: Path
    columns: Mapping[str, tuple[str, ...]]
    places: Sequence[str]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.places)


def read_table(path: Path, wanted: Collection[str]) -> Table:
    """Read a table: .csv, .tsv or .parquet.

    Args:
        path: the table.
        wanted: columns that it should have, in lower case, by which the separator of a text is found.

    Raises:
        DataError: the file cannot be read, is none of these, has no rows, or names two columns alike.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such {WHAT}{sought(path)}")
    match path.suffix.lower():
        case ".parquet":
            table = _parquet(path)
        case suffix if suffix in SUFFIXES:
            table = _text(path, wanted)
        case _:
            raise DataError(f"{path}: wanted a .csv, .tsv or .parquet file as {WHAT}; in a spreadsheet, save it as CSV")
    if not len(table):
        raise DataError(f"{path}: wanted a row for each image, got none below the columns {listed([*table.columns])}")
    return table


def _text(path: Path, wanted: Collection[str]) -> Table:
    content = read_text(path, WHAT, LIMIT_BYTES)
    table = Delimited.opened(path, content.text, wanted)
    rows = list(table.rows())
    notes = list(_notes(table.columns))
    if content.assumed:
        notes.append(f"{path.name} is not UTF-8 and was read as {content.assumed}")
    columns = {name: tuple(cells[at] for _, cells in rows) for at, name in _named(path, table.columns).items()}
    return Table(path, columns, [f"line {line}" for line, _ in rows], tuple(notes))


def _parquet(path: Path) -> Table:
    import duckdb  # takes a tenth of a second, and workers read no table

    if not path.is_file():
        raise DataError(f"{path}: wanted a regular file as {WHAT}, got a folder, a pipe or a device")
    try:
        with duckdb.connect() as database:
            table = database.read_parquet(glob.escape(str(path)))
            types = dict(zip(table.columns, map(str, table.types), strict=True))
            rows = table.project(", ".join(_as_text(name, kind) for name, kind in types.items())).fetchall()
    except duckdb.Error as error:
        raise DataError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]}); write it anew") from error
    heads = [name.strip().casefold() for name in types]
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(heads)
    columns = {name: tuple((text or "").strip() for text in cells[at]) for at, name in _named(path, heads).items()}
    return Table(path, columns, [f"row {row}" for row in range(1, len(rows) + 1)], tuple(_notes(heads)))


def _as_text(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    if kind not in FLOATS:
        return f"{column}::varchar"
    whole = f"{column} = trunc({column}) and abs({column}) < 1e15"
    written = f"case when {whole} then {column}::bigint::varchar else {column}::varchar end"
    return f"case when not isnan({column}) then {written} end"


def _named(path: Path, heads: Sequence[str]) -> dict[int, str]:
    """Return the columns that have a name, by position."""
    named = {at: name for at, name in enumerate(heads) if name}
    names = [*named.values()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path}: wanted each column once, whatever its case, got several of {listed(twice)}")
    return named


def _notes(heads: Sequence[str]) -> Iterator[str]:
    if unnamed := sum(not name for name in heads):
        yield f"not read, because without a name: {unnamed} column{'' if unnamed == 1 else 's'} of the table"
