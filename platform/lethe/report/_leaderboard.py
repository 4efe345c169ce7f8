"""How the leaderboard looks in a terminal of 100 columns or more."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lethe.report._board import Board
from lethe.report._notes import HOW_TO_READ, notes_of, settings_of
from lethe.report._numbers import difference, excess, gap_interval, missing, p_value, percent, row_title, seconds
from lethe.results.columns import json_column
from lethe.results.views import ContrastRow, LeaderboardRow
from lethe.results.visible import visible


def print_leaderboard(boards: Sequence[Board], console: Console) -> None:
    """Print the boards, and how to read them."""
    for board in boards:
        print_board(board, console)
    if boards:
        console.print(Text(HOW_TO_READ, style="dim"))


def print_board(board: Board, console: Console) -> None:
    """Print the table of a board, what it cost, how the rows compare, and what to know beside them."""
    print_rows(board, console)
    console.print(Group(*_contrasts(board), _costs(board), *_choices(board)))
    console.print(Group(*(Text(f"- {note}") for note in notes_of(board)), Text("")))


def print_rows(board: Board, console: Console) -> None:
    """Print the title of a board, its seeds and its rows."""
    console.print(Group(Text(board.title, style="bold"), Text(board.seeds), _table(board)))


def _table(board: Board) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("row")
    for name in ("UA", "RA", "TA", "MIA", "gap [95 %]", "over the floor"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for line in board.lines:
        shown = f"{percent(line.gap)} {gap_interval(line)}".rstrip() if line.gap is not None else missing(line)
        measures = map(percent, (line.ua, line.ra, line.ta, line.mia))
        title = Text(visible(row_title(line.row, untuned=line.untuned)))
        table.add_row(title, *measures, shown, excess(line), line.verdict or "")
    return table


def _costs(board: Board) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("cost")
    for name in ("seconds", "images trained on,\nof one retraining", "tuning"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in board.lines:
        share = "" if line.compute_share is None else f"{percent(line.compute_share)} %"
        table.add_row(Text(visible(line.row)), seconds(line.seconds_unlearn), share, _tuning(line))
    return table


def _choices(board: Board) -> list[Text]:
    """Print the setting that each search chose; a control shares all of it except what its name says."""
    return [
        Text(f"{line.method}: {setting_in_words(line.setting)} (trial {line.trial_id})", style="dim")
        for line in settings_of(board)
    ]


def setting_in_words(setting: str) -> str:
    """Write the JSON of a setting as people read it, the method's name left out."""
    options = {name: value for name, value in json_column("setting", setting).items() if name != "name"}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )


def _contrasts(board: Board) -> list[Text]:
    """Describe for each pair of rows whether these seeds can distinguish them."""
    if not board.contrasts:
        return []
    head = Text("Difference of the gaps, paired by seed; below zero the first is closer to the oracle; p by Holm:")
    return [head, *(Text(f"  {one.first} - {second(one)}: {verdict(one)}") for one in board.contrasts)]


def second(contrast: ContrastRow) -> str:
    """Name what a method is compared with."""
    return f"{contrast.second} (untuned)" if contrast.untuned else contrast.second


def verdict(contrast: ContrastRow) -> str:
    """Write a contrast: the difference with its own interval, the adjusted p, and the verdict."""
    p = "" if contrast.p_holm is None else f", p {p_value(contrast.p_holm)}"
    return f"{difference(contrast.difference, contrast.low, contrast.high)}{p}: {contrast.verdict}"


def _tuning(line: LeaderboardRow) -> str:
    if line.tuning_trials is None or line.tuning_seconds is None:
        return ""
    tried = line.tuning_trials - (line.tuning_raced or 0)
    raced = f" + {line.tuning_raced} raced" if line.tuning_raced else ""
    return f"{tried} trial{'s'[: tried != 1]}{raced} in {line.tuning_seconds:.0f} s"
