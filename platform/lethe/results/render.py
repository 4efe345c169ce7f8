"""A table as text: for a terminal, or as CSV, JSON, Markdown or LaTeX for other programs.

Names may come from anybody's results. Control characters are written as escapes (``lethe.results.visible``), and in
CSV a text
that a spreadsheet would take for a formula gets an apostrophe in front. JSON, and Parquet, hold the exact text.
"""

import csv
import io
import json
from collections import Counter
from datetime import date
from decimal import Decimal
from math import floor, isfinite, log10
from typing import Any, Final, Literal

import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lethe.errors import InputError
from lethe.results.latex import escaped, tabular
from lethe.results.visible import visible, visible_in_json

TextFormat = Literal["table", "csv", "json", "markdown", "latex"]


_ENDLESS: Final = 10_000_000
_FORMULA: Final = ("=", "+", "-", "@")


def render(table: pa.Table, form: TextFormat, width: int | None = None) -> str:
    """Write a table out; JSON has null for a number that is not finite, the other formats write ``nan`` or ``inf``.

    Args:
        width: columns of the terminal, for ``table``; None: as wide as the text.

    Raises:
        InputError: two columns have one name, of which JSON could keep one.
    """
    names = table.column_names
    if repeated := [name for name, count in Counter(names).items() if count > 1 and form == "json"]:
        raise InputError(f"several columns are named {', '.join(repeated)}: JSON needs a name for each")
    rows = [
        [_plain(value) for value in row] for row in zip(*(column.to_pylist() for column in table.columns), strict=True)
    ]
    if form == "json":
        records = [dict(zip(names, map(_in_json, row), strict=True)) for row in rows]
        return visible_in_json(json.dumps(records, indent=1, ensure_ascii=False))
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
    """Turn a value into a number, a text, a list or a dictionary."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _in_json(value: Any) -> Any:
    """Replace what is not finite, which JSON does not have, by null."""
    match value:
        case float():
            return value if isfinite(value) else None
        case list():
            return [_in_json(item) for item in value]
        case dict():
            return {key: _in_json(item) for key, item in value.items()}
        case _:
            return value


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return _digits(value)
    return _nested(value) if isinstance(value, list | dict) else visible(str(value))


def _digits(value: float) -> str:
    """Write four significant digits, all those before the point, and what lies far from 1 with an exponent."""
    if value == 0 or not 1e-4 <= abs(value) < 1e9:
        return f"{value:.4g}"
    decimals = max(0, 3 - floor(log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def _nested(value: list[Any] | dict[str, Any]) -> str:
    return visible_in_json(json.dumps(_in_json(value), ensure_ascii=False))


def _csv(names: list[str], rows: list[list[Any]]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(map(_csv_cell, names))
    for row in rows:
        writer.writerow(map(_csv_cell, row))
    return lines.getvalue().rstrip("\n")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return _nested(value)
    if not isinstance(value, str):
        return value
    return ("'" if value.lstrip().startswith(_FORMULA) else "") + visible(value)


def _markdown(names: list[str], cells: list[list[str]]) -> str:
    rows = [
        map(_markdown_cell, map(visible, names)),
        ["---"] * len(names),
        *(map(_markdown_cell, row) for row in cells),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _markdown_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")


def _for_terminal(names: list[str], cells: list[list[str]], width: int | None) -> str:
    grid = Table(*(escape(visible(name)) for name in names), box=SIMPLE_HEAD)
    for row in cells:
        grid.add_row(*map(Text, row))
    console = Console(width=width or _ENDLESS, file=io.StringIO(), highlight=False)
    with console.capture() as capture:
        console.print(grid)
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())
