"""Tables of any content as text: for a terminal, a spreadsheet, a program or a page. Nothing is computed here."""

import csv
import io
import json
import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, assert_never

import pyarrow as pa
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Format = Literal["table", "csv", "json", "markdown"]


def render(table: pa.Table, format: Format, width: int | None = None) -> str:
    """Write a table as text; csv and json keep every digit, table and markdown round to four decimals.

    Args:
        table: any Arrow table.
        format: ``table`` is for a terminal; rows too wide for it are written as one record after the other.
        width: columns of the terminal; None asks the terminal.
    """
    names = table.column_names
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    match format:
        case "table":
            return _terminal(table, [[_readable(value) for value in row] for row in rows], width)
        case "csv":
            return _csv(names, rows)
        case "json":
            records = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
            return json.dumps(records, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        case "markdown":
            return _markdown(table, [[_readable(value) for value in row] for row in rows])
        case _:
            assert_never(format)


def _terminal(table: pa.Table, rows: Sequence[Sequence[str]], width: int | None) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    grid = Table(box=box.SIMPLE_HEAD)
    for field in table.schema:
        grid.add_column(Text(field.name), justify="right" if _is_number(field.type) else "left", overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    if Measurement.get(console, console.options.update(max_width=1_000_000), grid).minimum > console.width:
        return _records(console, table.column_names, rows)
    return _printed(console, grid)


def _records(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    for number, row in enumerate(rows, start=1):
        console.print(Text(f"row {number} of {len(rows)}"))
        grid = Table(box=None, show_header=False, padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            grid.add_row(Text(name), Text(value))
        console.print(grid)
    return _text_of(console)


def _printed(console: Console, grid: Table) -> str:
    console.print(grid)
    return _text_of(console)


def _text_of(console: Console) -> str:
    stream = console.file
    return stream.getvalue()


def _csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(_plain(value)) for value in row] for row in rows)
    return stream.getvalue()
