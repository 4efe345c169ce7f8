"""What a person reads: a study's plan before it runs, and the confirmed comparison of each question after it."""

from lethe.report._board import Board, leaderboard
from lethe.report._latex import write_latex
from lethe.report._leaderboard import print_leaderboard
from lethe.report._plan import print_plan

__all__ = ["Board", "leaderboard", "print_leaderboard", "print_plan", "write_latex"]
