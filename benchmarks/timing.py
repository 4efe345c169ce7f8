"""How the benchmarks measure time, and how they tell what they found."""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch

Cell = str | int | float | None
Row = Mapping[str, Cell]
Name = TypeVar("Name", bound=Hashable)


def by_turns(works: Mapping[Name, Callable[[], object]], repeats: int) -> dict[Name, float]:
    """Return the median seconds of each work: all once to warm up, then all by turns, again and again."""
    for work in works.values():
        timed(work)
    rounds = [{name: timed(work) for name, work in works.items()} for _ in range(repeats)]
    return {name: median(each[name] for each in rounds) for name in works}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of some work, after one run to warm up."""
    return by_turns({"": work}, repeats)[""]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of some work, until the device is done with it."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def parser(doc: str | None, repeats: int | None = None) -> argparse.ArgumentParser:
    """Make a parser with the options that all benchmarks have; ``--repeats`` for those that measure again."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if repeats is not None:
        made.add_argument("--repeats", type=int, default=repeats)
    made.add_argument("--out", type=Path, help="write the table as JSON too")
    return made


def machine() -> str:
    """Name the hardware, and torch."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}{gpu}, torch {torch.__version__}"


def show(title: str, rows: Sequence[Row], out: Path | None = None) -> None:
    """Print rows of the same columns as a table, and write them as JSON where asked."""
    columns = list(rows[0])
    texts = [columns, *([_text(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[at]) for line in texts) for at in range(len(columns))]
    print(f"{title}\n{machine()}\n")
    for line in texts:
        print("  ".join(text.ljust(widths[0]) if at == 0 else text.rjust(widths[at]) for at, text in enumerate(line)))
    if out is not None:
        found = {"title": title, "machine": machine(), "rows": list(rows)}
        out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def _text(value: Cell) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value)
