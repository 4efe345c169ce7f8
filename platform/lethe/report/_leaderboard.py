"""How the leaderboard looks in a terminal of 100 columns or more."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lethe.report._board import Board, is_choice
from lethe.report._numbers import difference, gap_interval, percent, row_title
from lethe.results.columns import json_column
from lethe.results.views import ContrastRow, LeaderboardRow

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
    for line in board.lines:
        table.add_row(
            row_title(line.row),
            *map(percent, (line.ua, line.ra, line.ta, line.mia)),
            _shown(line),
            "≈" if line.at_floor else "",
            _number(line.seconds_unlearn),
            percent(line.retrain_share),
            _tuning(line),
        )
    return table


def _choices(board: Board) -> list[Text]:
    """Say which setting each search chose; a control shares all of it but what its name says."""
    chosen = [line for line in board.lines if is_choice(line) and line.trial_id]
    return [
        Text(f"{line.method}: {setting_in_words(line.setting)} (trial {line.trial_id})", style="dim") for line in chosen
    ]


def setting_in_words(setting: str) -> str:
    """Write the JSON of a setting as people read it, the method's name left out."""
    options = {name: value for name, value in json_column("setting", setting).items() if name != "name"}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )


def _contrasts(board: Board) -> list[Text]:
    """Say of each method whether these seeds can tell it from doing nothing and from its controls."""
    if not board.contrasts:
        return []
    head = Text("Difference of the gaps, paired by seed (below zero: the first is closer to the oracle):")
    return [head, *(Text(f"  {one.first} - {one.second}: {_verdict(one)}") for one in board.contrasts)]


def _verdict(contrast: ContrastRow) -> str:
    return f"{difference(contrast.difference, contrast.low, contrast.high)}, {contrast.verdict}"


def _shown(line: LeaderboardRow) -> str:
    if line.gap is None:
        return line.status if line.status != "done" else ""
    return f"{percent(line.gap)} {gap_interval(line)}".rstrip()


def _tuning(line: LeaderboardRow) -> str:
    if line.tuning_trials is None or line.tuning_seconds is None:
        return ""
    return f"{line.tuning_trials} in {line.tuning_seconds:.0f} s"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
