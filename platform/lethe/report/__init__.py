"""What a person reads at the end: the confirmed comparison of each question."""

from lethe.report._board import Board, Contrast, Line, leaderboard
from lethe.report._print import print_leaderboard

__all__ = ["Board", "Contrast", "Line", "leaderboard", "print_leaderboard"]
