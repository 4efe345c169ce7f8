"""How the leaderboard looks in a terminal of 100 columns or more."""

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lethe.report._audits import AUDITS_TO_READ, AuditTable, audits_of, violations_in_words
from lethe.report._board import Board
from lethe.report._break_even import BREAK_EVEN_TO_READ, break_even_cells, break_even_in_words
from lethe.report._break_even import HEADS as BREAK_EVEN_HEADS
from lethe.report._drift import DRIFT_TO_READ, drift_heads, drift_in_words, drift_lines, drift_title
from lethe.report._headline import headline
from lethe.report._notes import HOW_TO_READ, notes_of, settings_of
from lethe.report._numbers import (
    count,
    difference,
    excess,
    gap_interval,
    missing,
    optimism_in_words,
    p_value,
    percent,
    row_title,
    seconds,
    share,
    standing,
)
from lethe.report._ranks import (
    MEAN_RANKS_TO_READ,
    families_in_words,
    has_mean_ranks,
    is_ranked,
    mean_rank_in_words,
    summaries_of,
)
from lethe.results.json_column import json_column
from lethe.results.views import BudgetRow, ContrastRow, LeaderboardRow
from lethe.results.visible import visible


def print_leaderboard(boards: Sequence[Board], console: Console) -> None:
    """Print the boards, and how to read them; of a stream of requests the notes of the last one alone."""
    for board, following in zip_longest(boards, boards[1:]):
        if board.drift and not board.ends_stream:
            _print_answer(board, console)
        else:
            print_board(board, console)
        if board.ends_stream:
            print_drift(board, console)
        if has_mean_ranks(board) and (following is None or following.key[0] != board.key[0]):
            _print_mean_ranks(board, console)
    if any(board.has_oracles for board in boards):
        console.print(Text(HOW_TO_READ, style="dim"))


def print_board(board: Board, console: Console) -> None:
    """Print the table of a board, its answer, what it cost, how the rows compare, and what to know beside them."""
    _print_answer(board, console)
    compared = _ranked(board) if is_ranked(board) else _contrasts(board, board.contrasts)
    console.print(
        Group(*compared, *_audits(board), _costs(board), *_break_even(board), *_optimism(board), *_choices(board))
    )
    console.print(Group(*(Text(f"- {note}") for note in notes_of(board)), Text("")))


def print_drift(board: Board, console: Console) -> None:
    """Print what each request of a stream left, and what all of them cost so far."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("row", overflow="fold")
    for name in drift_heads(board):
        table.add_column(name, justify="right", no_wrap=True)
    previous = ""
    for line in drift_lines(board.drift):
        table.add_row(Text(visible(line.row if line.row != previous else "")), *line.cells)
        previous = line.row
    words = [Text(visible(words), style="bold")] if (words := drift_in_words(board)) else []
    title = Text(visible(drift_title(board)), style="bold")
    console.print(Group(title, table, *words, Text(DRIFT_TO_READ, style="dim"), Text("")))


def _print_answer(board: Board, console: Console) -> None:
    print_rows(board, console)
    console.print(Group(Text(visible(headline(board)), style="bold"), Text("")))


def _print_mean_ranks(board: Board, console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("method", overflow="fold")
    for name in ("mean rank", "best", "worst", "unbeaten"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in board.mean_ranks:
        table.add_row(Text(visible(one.row)), *mean_rank_in_words(one))
    title = f"{board.key[0]} · ranks over {board.mean_ranks[0].scenarios} tables"
    console.print(Group(Text(title, style="bold"), table, Text(MEAN_RANKS_TO_READ, style="dim"), Text("")))


def print_rows(board: Board, console: Console) -> None:
    """Print the title of a board, its seeds and its rows."""
    console.print(Group(Text(board.title, style="bold"), Text(board.seeds), _table(board)))


def _table(board: Board) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("row", overflow="fold")
    for name in (*board.heads, *(("gap [95 %]", "over the floor") if board.has_oracles else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict" if board.has_oracles else "status", no_wrap=True)
    for line in board.lines:
        measures = map(percent, (line.ua, line.ra, line.ta, line.mia))
        title = Text(visible(row_title(line.row, untuned=line.untuned)))
        table.add_row(title, *measures, *(_compared(line) if board.has_oracles else (standing(line),)))
    return table


def _compared(line: LeaderboardRow) -> tuple[str, str, str]:
    """Write the gap of a row, or why there is none, the excess over the floor, and the verdict on it."""
    shown = f"{percent(line.gap)} {gap_interval(line)}".rstrip() if line.gap is not None else missing(line)
    return shown, excess(line), line.verdict or ""


def _costs(board: Board) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("cost")
    of_retraining = ("images trained on,\nof one retraining",) if board.has_oracles else ()
    for name in ("seconds", *of_retraining, "tuning"):
        table.add_column(name, justify="right", no_wrap=True)
    budgets: dict[str | None, BudgetRow] = {one.method_search: one for one in board.budgets}
    for line in board.lines:
        tuning = _tuning(line, budgets.get(line.method_search))
        table.add_row(
            Text(visible(line.row)),
            seconds(line.seconds_unlearn),
            *(share(line.compute_share, line.seconds_unlearn) for _ in of_retraining),
            tuning,
        )
    return table


def _break_even(board: Board) -> list[RenderableType]:
    """Print from how many requests on each method pays, with the parts, and the answer in a sentence."""
    if not board.break_even:
        return []
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("break-even", overflow="fold")
    for name in BREAK_EVEN_HEADS:
        table.add_column(name, justify="right", no_wrap=True)
    for one in board.break_even:
        table.add_row(Text(visible(one.row)), *break_even_cells(one))
    words = [Text(visible(words))] if (words := break_even_in_words(board)) else []
    return [table, *words, Text(BREAK_EVEN_TO_READ, style="dim")]


def _choices(board: Board) -> list[Text]:
    """Print the setting that each search chose; an untuned control shares all of it except what its name says."""
    return [
        Text(f"{line.row}: {setting_in_words(line.setting)} (trial {line.trial_id})", style="dim")
        for line in settings_of(board)
    ]


def setting_in_words(setting: str) -> str:
    """Write the JSON of a setting as people read it, the method's name left out."""
    options = {name: value for name, value in json_column("setting", setting).items() if name != "name"}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )


def _contrasts(board: Board, contrasts: Iterable[ContrastRow]) -> list[Text]:
    """Describe for each pair of rows whether these seeds can distinguish them."""
    if not board.contrasts:
        return []
    head = Text(f"Difference of the gaps, paired by seed; below zero the first is closer; {families_in_words(board)}:")
    return [head, *(Text(f"  {one.first} - {second(one)}: {verdict(one)}") for one in contrasts)]


def _ranked(board: Board) -> list[RenderableType]:
    """Sum up how several methods compare, a line each, and the contrasts with controls below them."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("rank [95 %]", justify="right", no_wrap=True)
    table.add_column("method", overflow="fold")
    table.add_column("best on", justify="right", no_wrap=True)
    for name in ("minus doing nothing", "p", "minus the first"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("closer than")
    for one in summaries_of(board):
        method = Text(visible(one.method))
        table.add_row(one.rank, method, one.best, one.minus_nothing, one.p, one.minus_first, one.closer_than)
    legend = Text(RANKS_TO_READ, style="dim")
    return [table, legend, *_contrasts(board, [one for one in board.contrasts if one.family == "controls"])]


RANKS_TO_READ: Final = (
    "Best on: share of the seeds on which the method had the smallest gap. Closer than: ranks of the methods that it "
    "is closer than by the adjusted verdict; the intervals of the ranks follow from these and hold together."
)


def second(contrast: ContrastRow) -> str:
    """Name what a method is compared with."""
    return f"{contrast.second} (untuned)" if contrast.untuned else contrast.second


def verdict(contrast: ContrastRow) -> str:
    """Write a contrast: the difference with its own interval, the adjusted p, and the verdict."""
    p = "" if contrast.p_holm is None else f", p {p_value(contrast.p_holm)}"
    return f"{difference(contrast.difference, contrast.low, contrast.high)}{p}: {contrast.verdict}"


def _tuning(line: LeaderboardRow, budget: BudgetRow | None) -> str:
    if line.tuning_trials is None or line.tuning_seconds is None:
        return ""
    tried = line.tuning_trials - (line.tuning_raced or 0)
    raced = f" + {line.tuning_raced} raced" if line.tuning_raced else ""
    of = ""
    if budget is not None and (budget.settings, budget.runs) != (tried, line.tuning_trials):
        of = f" ({count(budget.settings, 'setting')}, {count(budget.runs, 'run')})"
    return f"{count(tried, 'trial')}{raced}{of} in {line.tuning_seconds:.0f} s"


def _audits(board: Board) -> list[RenderableType]:
    """Write the verdict of the audits on each row, and what they are worth."""
    audits = audits_of(board)
    if audits is None:
        return []
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("audits", overflow="fold")
    for place in audits.places:
        table.add_column(place)
    for one in audits.rows:
        table.add_row(Text(visible(one.row)), *(seen.in_words if seen else "" for seen in one.seen))
    by = [Text(visible(f"{one.row}: {words}")) for one in audits.rows if (words := violations_in_words(audits, one))]
    named = [Text("Violation by, with p:"), *by] if by else []
    return [table, *named, _worth(audits), Text(AUDITS_TO_READ, style="dim")]


def _worth(audits: AuditTable) -> Table:
    """Write the power and the false alarms of each statistic, two of them a line."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(2):
        table.add_column("statistic", overflow="fold")
        for name in ("power", "false\nalarms"):
            table.add_column(name, justify="right", no_wrap=True)
    half = (len(audits.statistics) + 1) // 2
    for pair in zip_longest(audits.statistics[:half], audits.statistics[half:]):
        cells = [(visible(one.metric), one.power or "unknown", one.false_alarms or "unknown") for one in pair if one]
        table.add_row(*(Text(cell) for cell in chain.from_iterable(cells)))
    return table


def _optimism(board: Board) -> list[Table]:
    """Compare the gaps of the chosen settings on the seeds that they were chosen on with those on reporting seeds."""
    if not board.optimism:
        return []
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("optimism", overflow="fold")
    alike = board.optimism[0].alike
    heads = ("gap on\ntuning seeds", "on reporting\nseeds [95 %]", f"tuning, over\n{alike}", "reporting,\nover these")
    for name in (*heads, "difference [95 %]"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in board.optimism:
        table.add_row(Text(visible(one.row)), *optimism_in_words(one))
    return [table]
