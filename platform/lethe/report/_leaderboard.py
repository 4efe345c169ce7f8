"""How the leaderboard looks in a terminal of 100 columns or more."""

import json
from collections.abc import Sequence
from math import isnan

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lethe.report._board import Board, Contrast, Line
from lethe.results import ConfirmationRow

NOTE = (
    "Percent, means over the training seeds. Gap: mean |difference| to the oracle of the same seed over UA, RA, TA and "
    "MIA, with its 95 % interval over seeds (Student's t). The noise floor is the gap between oracles of different "
    "seeds. ≈: the interval reaches the noise floor, so these seeds cannot tell this row from retraining."
)


def print_leaderboard(boards: Sequence[Board], console: Console) -> None:
    """Print a table a question, what was chosen, how the rows compare, and how to read it."""
    for board in boards:
        console.print(Group(Text(board.title, style="bold"), _table(board), *_choices(board), *_contrasts(board)))
    if boards:
        console.print(Text(NOTE, style="dim"))


def _table(board: Board) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("row")
    for name in ("UA", "RA", "TA", "MIA", "gap [95 %]", "", "seconds", "of re-\ntraining", "tuning"):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    names = {"original": "original (do nothing)", "oracle": "oracle (noise floor)"}
    for line in board.lines:
        table.add_row(
            names.get(line.name, line.name),
            *(_percent(line.mean(column)) for column in ("ua", "ra", "ta", "mia")),
            _shown(line),
            "≈" if line.at_floor else "",
            _number(line.mean("seconds_unlearn")),
            _percent(line.mean("retrain_share")),
            _tuning(line),
        )
    return table


def _choices(board: Board) -> list[Text]:
    """Say which setting each search chose; a control shares all of it but what its name says."""
    chosen = [line.rows[0] for line in board.lines if line.is_choice and line.rows[0].trial_id]
    return [Text(f"{row.method}: {_setting(row)} (trial {row.trial_id})", style="dim") for row in chosen]


def _setting(row: ConfirmationRow) -> str:
    options = {name: value for name, value in json.loads(row.setting).items() if name != "name"}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )


def _contrasts(board: Board) -> list[Text]:
    """Say of each method whether these seeds can tell it from doing nothing and from its controls."""
    if not board.contrasts:
        return []
    head = Text("Difference of the gaps, paired by seed (below zero: the first is closer to the oracle):")
    return [head, *(Text(f"  {one.first} - {one.second}: {_verdict(one)}") for one in board.contrasts)]


def _verdict(contrast: Contrast) -> str:
    difference = contrast.difference
    if isnan(difference.low):
        return f"{100 * difference.mean:+.1f}, from one seed"
    shown = f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    if difference.high < 0:
        return f"{shown}, closer"
    return f"{shown}, farther" if difference.low > 0 else f"{shown}, not told apart"


def _shown(line: Line) -> str:
    if line.gap is None:
        return next((row.status for row in line.rows if row.status != "done"), "")
    gap = line.gap
    if isnan(gap.low):
        return _percent(gap.mean)
    return f"{_percent(gap.mean)} [{_percent(max(gap.low, 0.0))}, {_percent(gap.high)}]"


def _tuning(line: Line) -> str:
    row = line.rows[0]
    if row.tuning_trials is None or row.tuning_seconds is None:
        return ""
    return f"{row.tuning_trials} in {row.tuning_seconds:.0f} s"


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
