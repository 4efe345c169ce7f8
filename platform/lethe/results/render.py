"""A table as text: for a terminal, or as CSV, JSON or Markdown for what comes next."""

import csv
import io
import json
import math
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Format = Literal["table", "csv", "json", "markdown"]


def render(table: pa.Table, form: Format, width: int | None = None) -> str:
    """Write a table out.

    Args:
        width: columns of the terminal, for ``table``; None: as wide as the text.
    """
    records: list[dict[str, Any]] = [
        {name: _plain(value) for name, value in record.items()} for record in table.to_pylist()
    ]
    names = table.column_names
    if form == "json":
        return json.dumps(records, indent=1, ensure_ascii=False)
    if form == "csv":
        return _csv(names, records)
    cells = [[_short(record[name]) for name in names] for record in records]
    return _markdown(names, cells) if form == "markdown" else _for_terminal(names, cells, width)


def _plain(value: Any) -> Any:
    """Turn a value into one that JSON has; what is not finite has no place there."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _short(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value) if isinstance(value, list) else str(value)


def _csv(names: list[str], records: list[dict[str, Any]]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        writer.writerow(json.dumps(value) if isinstance(value, list) else value for value in record.values())
    return lines.getvalue().rstrip("\n")


def _markdown(names: list[str], cells: list[list[str]]) -> str:
    rows = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _for_terminal(names: list[str], cells: list[list[str]], width: int | None) -> str:
    grid = Table(*names, box=SIMPLE_HEAD)
    for row in cells:
        grid.add_row(*row)
    console = Console(width=width or 10_000, file=io.StringIO(), highlight=False)
    with console.capture() as capture:
        console.print(grid)
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())
