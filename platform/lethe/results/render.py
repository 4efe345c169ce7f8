"""A table as text: for a terminal, or as CSV, JSON, Markdown or LaTeX for what comes next."""

import csv
import io
import json
import math
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal

import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lethe.results.latex import escaped, tabular

TextFormat = Literal["table", "csv", "json", "markdown", "latex"]


_ENDLESS: Final = 10_000_000


def render(table: pa.Table, form: TextFormat, width: int | None = None) -> str:
    """Write a table out.

    Args:
        width: columns of the terminal, for ``table``; None: as wide as the text.
    """
    names = table.column_names
    rows = [
        [_plain(value) for value in row] for row in zip(*(column.to_pylist() for column in table.columns), strict=True)
    ]
    if form == "json":
        return json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=1, ensure_ascii=False)
    if form == "csv":
        return _csv(names, rows)
    cells = [[_short(value) for value in row] for row in rows]
    if form == "latex":
        columns = "".join("r" if _is_number(column.type) else "l" for column in table.columns)
        return tabular(columns, list(map(escaped, names)), [list(map(escaped, row)) for row in cells])
    return _markdown(names, cells) if form == "markdown" else _for_terminal(names, cells, width)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _plain(value: Any) -> Any:
    """Turn a value into one that JSON has; what is not finite has no place there."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return _plain(int(value) if value == value.to_integral_value() else float(value))
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return _digits(value)
    return _nested(value) if isinstance(value, list | dict) else str(value)


def _digits(value: float) -> str:
    """Write four decimals, and only what lies far from 1 with an exponent."""
    if value == 0 or 1e-3 <= abs(value) < 1e9:
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{value:.4g}"


def _nested(value: list[Any] | dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _csv(names: list[str], rows: list[list[Any]]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(_nested(value) if isinstance(value, list | dict) else value for value in row)
    return lines.getvalue().rstrip("\n")


def _markdown(names: list[str], cells: list[list[str]]) -> str:
    rows = [map(_markdown_cell, names), ["---"] * len(names), *(map(_markdown_cell, row) for row in cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _markdown_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def _for_terminal(names: list[str], cells: list[list[str]], width: int | None) -> str:
    grid = Table(*map(escape, names), box=SIMPLE_HEAD)
    for row in cells:
        grid.add_row(*map(Text, row))
    console = Console(width=width or _ENDLESS, file=io.StringIO(), highlight=False)
    with console.capture() as capture:
        console.print(grid)
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())
