"""Writes the tables that hold studies side by side, from those that the documentation quotes.

    python docs/side_by_side.py

Such a table stands in README between ``<!-- side by side: STUDY STUDY ... -->`` and ``<!-- end -->``: of each row that
all of the studies have, how much farther from retraining it is than another retraining, and the verdict.
"""

import re
from typing import Final

from quote_tables import QUOTED, ROOT

from lethe.report.page._glance import SYMBOLS

README: Final = ROOT / "README.md"
RESULTS: Final = ROOT / "docs" / "results.md"
BESIDE: Final = re.compile(r"<!-- side by side: (.*?) -->\n(.*?)<!-- end -->", re.DOTALL)

_ROW: Final = re.compile(
    r"^ +(?P<row>\S.*?)  +(?:[\d.]+ +){4}[\d.]+ \[[^]]+\] +(?P<excess>[+-][\d.]+ \[[^]]+\]) +(?P<verdict>\S.*)$",
    re.MULTILINE,
)
"""A line with four measures, gap, excess and verdict; that of the noise floor has the first five alone."""


def excesses(results: str, study: str) -> dict[str, str]:
    """Return the excess over the floor, with the sign of its verdict, of each row of a study's quoted table.

    Args:
        results: the text that quotes it.

    Raises:
        KeyError: no table of the study is quoted, or a verdict is none of `SYMBOLS`.
    """
    quoted = {found[1]: found[3] for found in QUOTED.finditer(results) if not found[2]}
    return {found["row"]: f"{found['excess']} {SYMBOLS[found['verdict']]}" for found in _ROW.finditer(quoted[study])}


def side_by_side(results: str, studies: list[str]) -> str:
    """Return the Markdown table of the rows that all of the studies have."""
    columns = [excesses(results, study) for study in studies]
    rows = [row for row in columns[0] if all(row in column for column in columns)]
    lines = [["", *(study.partition("-")[0] for study in studies)], ["---"] * (1 + len(studies))]
    lines += [[row, *(column[row] for column in columns)] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rewritten(readme: str, results: str) -> str:
    """Return README's text with its tables made again."""
    return BESIDE.sub(
        lambda found: f"<!-- side by side: {found[1]} -->\n{side_by_side(results, found[1].split())}<!-- end -->",
        readme,
    )


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(encoding="utf-8"), RESULTS.read_text(encoding="utf-8")), "utf-8")
