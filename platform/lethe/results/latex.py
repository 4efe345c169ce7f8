"""Tables for LaTeX's package booktabs."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from lethe.results.visible import visible

_ESCAPED: Final = str.maketrans(
    {character: "\\" + character for character in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': "''",
        "`": r"\textasciigrave{}",
        "≈": r"$\approx$",
        "\n": " ",
        "\t": " ",
    }
)


def escaped(text: str) -> str:
    """Write text so that LaTeX prints it as it is, control characters as their escapes, and makes no dash of ``--``."""
    return re.sub("-(?=-)", "-{}", visible(text).translate(_ESCAPED))


def tabular(columns: str, head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Write a table of cells that are LaTeX already.

    Args:
        columns: how each is aligned, a letter a column, such as ``lrr``.
    """
    rows = [" & ".join(row) + r" \\" for row in (head, *body)]
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}"])
