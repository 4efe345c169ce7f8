"""The answer of a table in one sentence: which method is closest to retraining, tied with what, on how many seeds.

A sentence claims no more than the tests below it. *Tied* are the methods that no other is closer than, by the adjusted
verdicts: their rank intervals begin at 1, so that any of them may be the closest.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from lethe.report._audits import STRONGEST_FIRST, audited_as
from lethe.report._board import Board, is_choice
from lethe.report._numbers import count, gap_interval, percent, row_title, signed
from lethe.results.no_oracle import NO_ORACLE
from lethe.results.views import LeaderboardRow, RankRow

NAMED: Final = 4
"""Methods that a sentence names; of more it names one less, and how many are left."""


def headline(board: Board) -> str:
    """Return which method has the smallest gap, tied with what, and how it compares with doing nothing and retraining.

    Where it was audited, the sentence has the verdict: a small gap can hide a violation.
    Where no method has a gap on every reporting seed, or there is no oracle, the sentence says so.
    """
    if not board.has_oracles:
        return NO_ORACLE
    first = first_of(board)
    if first is None:
        return "No method has a gap on every reporting seed yet."
    interval = f" {gap_interval(first)}".rstrip()
    return (
        f"{first.row} has {_rank(board, first.row)} {percent(first.gap)} points{interval} over "
        f"{count(first.seeds, 'training seed')}: {_against_nothing(board, first.row)}; {_against_retraining(first)}"
        f"{_by_audits(board, first.row)}{_controls(board, first.gap or 0.0)}."
    )


def first_of(board: Board) -> LeaderboardRow | None:
    """Return the method with the smallest gap, by name where gaps are equal; None where none has a gap."""
    methods = [line for line in board.lines if is_choice(line) and line.gap is not None]
    return min(methods, key=lambda line: (line.gap, line.row), default=None)


def tied_of(board: Board) -> list[str]:
    """Return the methods that no other is closer than, the smallest gap first; empty where too few seeds rank any."""
    return [one.row for one in board.ranks if one.rank_low == 1]


def overall(boards: Sequence[Board]) -> str:
    """Return which methods have the smallest gap, on how many tables, and which none is closer than; '' for one."""
    first = [line.row for board in boards if (line := first_of(board)) is not None]
    if len(first) < 2:
        return ""
    won = ", ".join(f"{row} on {tables}" for row, tables in sorted(Counter(first).items(), key=lambda one: -one[1]))
    ranked = [board for board in boards if tied_of(board)]
    everywhere = [] if len(ranked) < len(boards) else _common(tied_of(board) for board in ranked)
    unbeaten = f" By the adjusted verdicts no method is closer on any of them than {_named(everywhere)}."
    return f"Smallest gap over {count(len(first), 'table')}: {won}.{unbeaten if everywhere else ''}"


def audits_in_words(boards: Sequence[Board]) -> str:
    """Return which methods the audits call a violation, and what they say of the others; empty without audits.

    Of several tables it counts those on which a method has the verdict.
    """
    audited = [board for board in boards if board.audits]
    methods = [
        (line.row, audited_as(board, line.row) or "not audited")
        for board in audited
        for line in board.lines
        if is_choice(line)
    ]
    if not methods:
        return ""
    said = []
    for verdict in (*STRONGEST_FIRST, "not audited"):
        found = Counter(row for row, own in methods if own == verdict)
        rows = [row if len(audited) == 1 else f"{row} on {tables}" for row, tables in found.most_common()]
        if rows:
            said.append(f"{verdict}: {_named(rows)}")
    over = "" if len(audited) == 1 else f" over {count(len(audited), 'table')}"
    return f"Audits{over}: {'; '.join(said)}."


def _common(lists: Iterable[Sequence[str]]) -> list[str]:
    first, *others = lists
    return [name for name in first if all(name in other for other in others)]


def _rank(board: Board, row: str) -> str:
    """Describe a smallest gap among the others of its table, up to its number."""
    if len(board.ranks) < 2:
        return "a gap of"
    of = f"the smallest gap of {count(len(board.ranks), 'method')}"
    if _are_unranked(board.ranks):
        return f"{of}, which too few seeds rank,"
    others = [name for name in tied_of(board) if name != row]
    if not others:
        return f"{of}, each other one being farther,"
    return f"{of}, tied with {_named(others)},"


def _named(names: Sequence[str]) -> str:
    """Write names as prose lists them, the first of many."""
    left = len(names) - NAMED + 1
    if left > 1:
        return f"{', '.join(names[: NAMED - 1])} and {left} more"
    return " and ".join(", ".join(names).rsplit(", ", 1))


def _by_audits(board: Board, row: str) -> str:
    """Name the verdict of all audits together on a row, where there were any; else nothing."""
    verdicts = [one.verdict for one in board.audits if one.row == row]
    match audited_as(board, row):
        case None:
            return ""
        case "violation":
            found = verdicts.count("violation")
            return f"; by the audits a violation ({found} of {count(len(verdicts), 'statistic')})"
        case "no violation detected":
            return "; the audits detect no violation"
        case "inconclusive":
            return "; the audits are inconclusive"
        case _:
            return "; too few seeds for a verdict of the audits"


def _are_unranked(ranks: Sequence[RankRow]) -> bool:
    return any(one.rank_low is None for one in ranks)


def _controls(board: Board, gap: float) -> str:
    """Name the control with the smallest gap, where that is smaller than any method's; else nothing."""
    known = [(line.gap, line.row) for line in board.lines if line.untuned and line.gap is not None and line.gap < gap]
    if not known:
        return ""
    smallest, row = min(known)
    return f"; the control {row_title(row, untuned=True)}, has {percent(smallest)}"


def _against_nothing(board: Board, row: str) -> str:
    found = next((one for one in board.contrasts if one.first == row and one.second == "original"), None)
    if found is None or board.original is None:
        return "not compared with doing nothing"
    words = {
        "closer": "closer than doing nothing",
        "farther": "farther than doing nothing",
        "inconclusive": "inconclusive against doing nothing",
    }.get(found.verdict, "too few seeds to compare it with doing nothing")
    return f"{words} ({percent(board.original.gap)})"


def _against_retraining(line: LeaderboardRow) -> str:
    over = "" if line.excess is None else signed(line.excess)
    match line.verdict:
        case "above the floor":
            return f"above the noise floor of retraining ({over})"
        case "equivalent":
            return f"equivalent to retraining, within {percent(line.margin)} points ({over} over its noise floor)"
        case "inconclusive":
            return f"inconclusive against retraining ({over} over its noise floor)"
        case _:
            return "too few seeds to compare it with retraining"
