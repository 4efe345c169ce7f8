"""The answer of a study at a glance: a matrix of its rows and scenarios."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lethe.report._audits import audited_as
from lethe.report._board import Board, is_choice
from lethe.report._headline import audits_in_words, first_of, overall, tied_of
from lethe.report._numbers import excess, gap_interval, missing, row_title, signed
from lethe.report.page._gather import ScenarioPart, StudyPart
from lethe.report.page._wording import MINUS, percent
from lethe.results.views import LeaderboardRow

HEATS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Points of excess at which a cell gets its next colour: the same on every page, so that pages compare."""

COLUMNS: Final = 20
"""Scenarios up to which the matrix has a column each."""

WITH_INTERVALS: Final = 3
"""Columns up to which the cells show intervals."""

HEADS: Final[dict[str, Callable[[ScenarioPart], str]]] = {
    "data set": lambda one: one.asked.dataset,
    "augmentation": lambda one: one.asked.augmentation,
    "forget": lambda one: one.asked.forget,
    "network": lambda one: one.asked.network,
    "scenario": lambda one: one.asked.scenario[:8],
}
"""What a column may be titled with."""

SYMBOLS: Final = {
    "above the floor": "\N{BLACK UP-POINTING TRIANGLE}",
    "equivalent": "\N{ALMOST EQUAL TO}",
    "inconclusive": "?",
    "too few seeds": "\N{HORIZONTAL ELLIPSIS}",
}
"""What stands for a verdict on the excess."""

NOT_AUDITED: Final = "not audited"

AUDIT_SYMBOLS: Final = {
    "violation": "A\N{BALLOT X}",
    "no violation detected": "A\N{CHECK MARK}",
    "inconclusive": "A?",
    "too few seeds": "A\N{HORIZONTAL ELLIPSIS}",
    NOT_AUDITED: "A\N{EN DASH}",
}
"""What stands for the verdict of a row's audits."""


@dataclass(frozen=True)
class Square:
    """One row on one scenario.

    Attributes:
        shown: the excess over the noise floor in points; where there is none, what is known instead.
        interval: of the excess; empty where the matrix is too wide for intervals.
        heat: which colour, 0 for the smallest excess; None without an excess.
        verdict: on the excess; empty where there is none.
        place: 'first' for the smallest gap, 'tied' for what may be as close, else empty.
        told: all of it, in words.
        audits: verdict of the row's audits; empty for oracles, which they are held against, and without any audits.
    """

    shown: str
    interval: str
    heat: int | None
    verdict: str
    place: str
    told: str
    audits: str = ""


@dataclass(frozen=True)
class Column:
    """One scenario: what it asks, where on the page it is, and its seeds."""

    names: tuple[str, ...]
    number: int
    seeds: int


@dataclass(frozen=True)
class GlanceRow:
    """One row of the matrix; ``kind`` as in a leaderboard: 'original', 'oracle', 'method' or 'control'."""

    name: str
    kind: str
    squares: tuple[Square, ...]


@dataclass(frozen=True)
class Glance:
    """The matrix of a study.

    Attributes:
        overall: what all columns say together; empty for one.
        audits: what the audits say of the methods; empty without any.
        audit_verdicts: those in the squares, in the order of `AUDIT_SYMBOLS`.
        heads: what the names of a column are, in their order.
        left_out: scenarios with a table beyond the last column.
        margins: of equivalence, in points; several only where specifications were mixed.
    """

    overall: str
    audits: str
    audit_verdicts: tuple[str, ...]
    heads: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[GlanceRow, ...]
    left_out: int
    margins: tuple[str, ...]


def glance_of(part: StudyPart) -> Glance | None:
    """Return the matrix of a study; None where no scenario has a table, or no oracles that rows are held against."""
    numbered = enumerate(part.scenarios, 1)
    known = [(number, one, one.board) for number, one in numbered if one.board is not None and one.board.has_oracles]
    if not known:
        return None
    shown, boards = known[:COLUMNS], [board for _, _, board in known]
    heads = _heads([(one, board) for _, one, board in shown])
    columns = [
        Column(tuple(HEADS[head](one) for head in heads), number, max(line.seeds for line in board.lines))
        for number, one, board in shown
    ]
    lines = [{line.row: line for line in board.lines} for _, _, board in shown]
    rows = [
        GlanceRow(
            name=next(row_title(line[row].row, untuned=line[row].untuned) for line in lines if row in line),
            kind=next(kind_of(line[row]) for line in lines if row in line),
            squares=tuple(
                _audited(_square(line.get(row), board, intervals=len(shown) <= WITH_INTERVALS), line.get(row), board)
                for line, (_, _, board) in zip(lines, shown, strict=True)
            ),
        )
        for row in _ordered([board for _, _, board in shown])
    ]
    margins = dict.fromkeys(percent(board.lines[0].margin) for board in boards if board.lines[0].margin is not None)
    verdicts = {square.audits for row in rows for square in row.squares}
    return Glance(
        overall=overall(boards),
        audits=audits_in_words(boards),
        audit_verdicts=tuple(one for one in AUDIT_SYMBOLS if one in verdicts),
        heads=heads,
        columns=tuple(columns),
        rows=tuple(rows),
        left_out=len(known) - len(shown),
        margins=tuple(margins),
    )


def kind_of(line: LeaderboardRow) -> str:
    """Return 'original', 'oracle', 'method' or 'control'."""
    return line.row if line.row in ("original", "oracle") else "method" if is_choice(line) else "control"


def _heads(shown: Sequence[tuple[ScenarioPart, Board]]) -> tuple[str, ...]:
    """Name what the columns are titled with; network and scenario where the rest leaves them alike."""
    networks = {one.asked.network for one, _ in shown}
    more = {"network": len(networks) > 1, "scenario": any(board.duplicate for _, board in shown)}
    return tuple(head for head in HEADS if more.get(head, True))


def _ordered(boards: Sequence[Board]) -> Iterable[str]:
    """Return the rows in the order of the matrix: doing nothing, the floor, methods by rank with their controls."""
    ranks: defaultdict[str, list[int]] = defaultdict(list)
    for board in boards:
        for one in board.ranks:
            ranks[one.row].append(one.rank)
    lines = [line for board in boards for line in board.lines]
    methods = dict.fromkeys(line.row for line in lines if kind_of(line) == "method")
    controls = dict.fromkeys((line.method, line.row) for line in lines if kind_of(line) == "control")
    yield from (row for row in ("original", "oracle") if any(line.row == row for line in lines))
    for method in sorted(methods, key=lambda row: _place(ranks[row])):
        yield method
        yield from (row for of, row in controls if of == method)
    yield from (row for of, row in controls if of not in methods)


def _place(ranks: Sequence[int]) -> float:
    return sum(ranks) / len(ranks) if ranks else float("inf")


def _square(line: LeaderboardRow | None, board: Board, *, intervals: bool) -> Square:
    if line is None:
        return Square("", "", None, "", "", "not part of this table")
    title = row_title(line.row, untuned=line.untuned)
    if line.row == "oracle":
        shown = percent(line.noise_floor)
        told = f"noise floor {shown} {gap_interval(line)}" if shown else "no noise floor"
        return Square(shown, gap_interval(line) if intervals else "", None, "", "", told)
    if line.gap is None:
        why = missing(line) or "no gap"
        return Square(why, "", None, "", "", f"{title}: {why}")
    gap = f"gap {percent(line.gap)} {gap_interval(line)}".rstrip()
    if line.excess is None:
        return Square(f"gap {percent(line.gap)}", "", None, "", "", f"{title}: {gap}, no noise floor")
    first, tied = first_of(board), tied_of(board)
    place = "first" if first and first.row == line.row else "tied" if line.row in tied else ""
    said = {"first": ", the smallest gap of the methods", "tied": ", tied for the smallest gap"}.get(place, "")
    own = excess(line).replace("-", MINUS)
    shown = signed(line.excess).replace("-", MINUS)
    return Square(
        shown=shown,
        interval=own.removeprefix(shown).strip() if intervals else "",
        heat=sum(100 * line.excess >= step for step in HEATS),
        verdict=line.verdict or "",
        place=place,
        told=f"{title}: {own} over the floor, {line.verdict or 'no verdict'}; {gap}{said}",
    )


def _audited(square: Square, line: LeaderboardRow | None, board: Board) -> Square:
    """Add what the audits say of a row, where its table has any."""
    if line is None or line.row == "oracle" or not board.audits:
        return square
    verdict = audited_as(board, line.row) or NOT_AUDITED
    return replace(square, audits=verdict, told=f"{square.told}; audits: {verdict}")
