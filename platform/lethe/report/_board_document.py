"""The tables of the results for another program: the numbers of the views, unrounded, and the sentences about them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lethe.report._board import Board
from lethe.report._headline import headline
from lethe.report._notes import notes_of


def boards_document(boards: Sequence[Board]) -> dict[str, Any]:
    """Return what `lethe leaderboard --json` answers; rows have the columns of their views."""
    return {"tables": [_document(board) for board in boards]}


def _document(board: Board) -> dict[str, Any]:
    study, scenario = board.key
    return {
        "study": study,
        "scenario": scenario,
        "title": board.title,
        "headline": headline(board),
        "notes": list(notes_of(board)),
        "rows": [asdict(line) for line in board.lines],
        "contrasts": [asdict(contrast) for contrast in board.contrasts],
        "ranks": [asdict(rank) for rank in board.ranks],
        "budgets": [asdict(budget) for budget in board.budgets],
        "audits": [asdict(verdict) for verdict in board.audits],
    }
