"""How a table of several methods is summed up: ranks with their intervals, who differs from whom, the front of cost.

With many methods there are too many pairs to list: 190 with 20. One line for each method says the same.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lethe.report._board import Board
from lethe.report._numbers import difference, p_value, percent
from lethe.results.views import ContrastRow, MeanRankRow, RankRow

FEWEST_RANKED: Final = 3
"""Methods from which on a table has ranks; of two, their contrast says it all."""


@dataclass(frozen=True)
class MethodSummary:
    """One method among the others of its table, as text.

    Attributes:
        rank: with its interval.
        best: the share of the seeds on which its gap was the smallest.
        minus_nothing: its gap minus that of doing nothing, with interval; empty without an original, as is p.
        minus_first: its gap minus that of the first method, with interval; empty for the first.
        closer_than: ranks of the methods that it is closer than, by the adjusted verdicts.
    """

    method: str
    rank: str
    best: str
    minus_nothing: str
    p: str
    minus_first: str
    closer_than: str


def is_ranked(board: Board) -> bool:
    """Return whether a board has enough methods for ranks."""
    return len(board.ranks) >= FEWEST_RANKED


def summaries_of(board: Board) -> list[MethodSummary]:
    """Return a line for each method that is ranked, the closest to retraining first."""
    contrasts = between_methods(board)
    nothing = {one.first: one for one in board.contrasts if one.family == "doing nothing"}
    ranks = {one.row: one.rank for one in board.ranks}
    return [
        MethodSummary(
            method=one.row,
            rank=rank_of(one),
            best=f"{100 * one.best_share:.0f} %",
            minus_nothing=_difference(nothing.get(one.row)),
            p=_p(nothing.get(one.row)),
            minus_first=_difference(contrasts.get((one.row, board.ranks[0].row))),
            closer_than=_ranges(
                ranks[second]
                for (first, second), found in contrasts.items()
                if first == one.row and found.verdict == "closer"
            ),
        )
        for one in board.ranks
    ]


def rank_of(line: RankRow) -> str:
    """Write a rank with its interval, where it has one."""
    return f"{line.rank}" if line.rank_low is None else f"{line.rank} [{line.rank_low}, {line.rank_high}]"


def between_methods(board: Board) -> dict[tuple[str, str], ContrastRow]:
    """Return the contrasts between methods, each in both directions."""
    found = [one for one in board.contrasts if one.family == "methods"]
    return {(one.first, one.second): one for one in found} | {(one.second, one.first): _turned(one) for one in found}


def families_in_words(board: Board) -> str:
    """Describe which hypotheses are adjusted together, and by what."""
    sizes = Counter(one.family for one in board.contrasts)
    parts = [
        text.format(sizes[family], "" if sizes[family] == 1 else "s")
        for family, text in _FAMILIES.items()
        if sizes[family]
    ]
    each = ", each question by itself" if len(parts) > 1 else ""
    return f"p and verdicts by Holm{each}: {', '.join(parts)}"


def front_in_words(board: Board) -> str:
    """Name the methods that no other beats in gap and in images trained on; empty where these are not known."""
    front = sorted((one for one in board.ranks if one.on_front), key=lambda one: one.gap)
    if not is_ranked(board) or not front:
        return ""
    named = "; ".join(f"{one.row} (gap {percent(one.gap)}, {percent(one.compute_share)} %)" for one in front)
    return (
        "Front of gap and images trained on, of one retraining, by their means: no other method has less of both than "
        f"{named}."
    )


MEAN_RANKS_TO_READ: Final = (
    "Among the methods that every table of the study ranks. Unbeaten: tables in which no method is closer by the "
    "adjusted verdicts. No test: a study's tables are few and no sample."
)


def has_mean_ranks(board: Board) -> bool:
    """Return whether the boards of a study have enough methods in common for ranks over all of them."""
    return len(board.mean_ranks) >= FEWEST_RANKED


def mean_rank_in_words(line: MeanRankRow) -> tuple[str, str, str, str]:
    """Write a mean rank, the best and the worst rank, and on how many boards nothing is closer."""
    unbeaten = "" if line.unbeaten is None else f"{line.unbeaten} of {line.scenarios}"
    return f"{line.mean_rank:.1f}", f"{line.best_rank:g}", f"{line.worst_rank:g}", unbeaten


_FAMILIES: Final = {
    "doing nothing": "{} method{} against doing nothing",
    "methods": "{} pair{} of methods",
    "controls": "{} control{}",
}


def _turned(one: ContrastRow) -> ContrastRow:
    """Return a contrast with its rows exchanged."""
    low = None if one.high is None else -one.high
    high = None if one.low is None else -one.low
    verdict = {"closer": "farther", "farther": "closer"}.get(one.verdict, one.verdict)
    changes = {"first": one.second, "second": one.first, "difference": -one.difference, "low": low, "high": high}
    return ContrastRow(**{**vars(one), **changes, "verdict": verdict})


def _difference(one: ContrastRow | None) -> str:
    return "" if one is None else difference(one.difference, one.low, one.high)


def _p(one: ContrastRow | None) -> str:
    return "" if one is None or one.p_holm is None else p_value(one.p_holm)


def _ranges(numbers: Iterable[int]) -> str:
    """Write numbers with runs of three or more shortened, such as ``1, 3-6``."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
