"""What people read: a study's plan before it runs, and the confirmed comparison of each scenario after it."""

from lethe.report._board import Board, earlier_tables, is_choice, leaderboard
from lethe.report._board_document import boards_document
from lethe.report._headline import first_of, tied_of
from lethe.report._latex import write_latex
from lethe.report._leaderboard import print_leaderboard
from lethe.report._numbers import percent, seconds
from lethe.report._search_notes import search_notes
from lethe.report._unit import print_unit

__all__ = [
    "Board",
    "boards_document",
    "earlier_tables",
    "first_of",
    "is_choice",
    "leaderboard",
    "percent",
    "print_leaderboard",
    "print_unit",
    "search_notes",
    "seconds",
    "tied_of",
    "write_latex",
]
