"""Writes the tables that README and the documentation quote, as a results place gives them now.

    python docs/quote_tables.py RESULTS

A quoted table stands between ``<!-- table: STUDY -->`` and ``<!-- end -->``; ``<!-- table: STUDY rows -->`` quotes its
rows alone, and ``<!-- table: STUDY drift -->`` what each request of a stream left. Tables of studies that are not in
the results place are left as they are, and named.
"""

import io
import re
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from lethe.report import Board, leaderboard
from lethe.report._leaderboard import print_board, print_drift, print_rows
from lethe.storage.root import StorageRoot

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
QUOTED: Final = re.compile(r"<!-- table: (\S+)( rows| drift)? -->\n(.*?)<!-- end -->", re.DOTALL)
PRINT: Final = {"": print_board, " rows": print_rows, " drift": print_drift}
WIDTH: Final = 112


def text_of(board: Board, what: str) -> str:
    """Return a board as Markdown quotes it: indented, without what a terminal adds at the ends of lines.

    Args:
        what: of it, a key of `PRINT`.
    """
    console = Console(file=io.StringIO(), width=WIDTH, highlight=False)
    with console.capture() as capture:
        PRINT[what](board, console)
    lines = [f"    {line}".rstrip() for line in capture.get().strip("\n").splitlines()]
    return "\n" + "\n".join(lines) + "\n\n"


def main(results: str) -> None:
    """Rewrite every quoted table of the studies in a results place, whose boards are one each, or those of a stream."""
    boards = {board.key[0]: board for board in leaderboard(StorageRoot.at(results))}
    for page in PAGES:
        text = QUOTED.sub(partial(_quoted, boards), page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8")


def _quoted(boards: Mapping[str, Board], found: re.Match[str]) -> str:
    study, what = found[1], found[2] or ""
    if study not in boards:
        print(f"{study} has no table in these results: left as it was")
        return found[0]
    return f"<!-- table: {study}{what} -->\n{text_of(boards[study], what)}<!-- end -->"


if __name__ == "__main__":
    main(*sys.argv[1:])
