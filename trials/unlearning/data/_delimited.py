"""Tables in text, as spreadsheets write them: separated by commas, semicolons or tabs, with or without ``sep=;``.

A table that could mean something else than it seems to is refused.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from unlearning.data._base import DataError

SUFFIXES = (".csv", ".tsv")

SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class Delimited:
    """A table of which the head has been read.

    Attributes:
        rest: the lines below the head.
        separator: what stands between the columns.
        above: lines up to the head, itself included.
        columns: their names, without case and without space around them.
    """

    path: Path
    rest: io.StringIO
    separator: str
    above: int
    columns: tuple[str, ...]

    @classmethod
    def opened(cls, path: Path, text: str, wanted: Collection[str]) -> "Delimited":
        """Read the head; the separator is the one by which most of the ``wanted`` columns are found, then most of all.

        Args:
            path: the table, for messages.
            text: all of it.
            wanted: names of columns, without case.
        """
        rest = io.StringIO(text, newline="")
        head, above = rest.readline(), 1
        separators: tuple[str, ...] = SEPARATORS
        if named := re.fullmatch(r'"?sep=([,;|:\t])"?', head.rstrip("\r\n"), re.IGNORECASE):
            head, above, separators = rest.readline(), 2, (named[1],)
        heads = {separator: _column_names(head, separator) for separator in separators}
        separator = max(heads, key=lambda one: (len({*wanted} & {*heads[one]}), len(heads[one])))
        return cls(path, rest, separator, above, heads[separator])

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line and the cells of each row that has content, a row being a line, filled up to all columns.

        Raises:
            DataError: a row has more cells than the head, or goes over several lines.
        """
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
                    yield line, (cells + [""] * (len(self.columns) - len(cells)))[: len(self.columns)]
        except csv.Error as error:
            raise self._unclosed(line + 1, str(error)) from error

    def _unclosed(self, line: int, why: str) -> DataError:
        return DataError(
            f"{self.path}:{line}: wanted one row a line, but a quoted cell of the row that begins here does not end as "
            f"it should ({why}); close its quote, or take the line breaks out of the cell"
        )


def _column_names(line: str, separator: str) -> tuple[str, ...]:
    """Split the head of a table, without case and space around names; empty where quotes do not fit this separator."""
    try:
        rows = list(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error:
        return ()
    return tuple(cell.strip().casefold() for cell in rows[0]) if rows else ()
