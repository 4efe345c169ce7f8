"""What people read: a study's plan before it runs, and the confirmed comparison of each scenario after it."""

from lethe.report._board import Board, earlier_tables, leaderboard
from lethe.report._board_document import boards_document
from lethe.report._latex import write_latex
from lethe.report._leaderboard import print_leaderboard
from lethe.report._search_notes import search_notes
from lethe.report._unit import print_unit

__all__ = [
    "Board",
    "boards_document",
    "earlier_tables",
    "leaderboard",
    "print_leaderboard",
    "print_unit",
    "search_notes",
    "write_latex",
]
