"""The one table of small results, its lines by row, and what is noted below it."""

from lethe.report import Board, leaderboard
from lethe.report._notes import notes_of
from lethe.results import Store
from lethe.results.views import LeaderboardRow

ORACLES = (0.00, 0.01, 0.03, 0.06, 0.10)


def board_of(store: Store) -> Board:
    [board] = leaderboard(store.root)
    return board


def lines_of(store: Store) -> dict[str, LeaderboardRow]:
    return {line.row: line for line in board_of(store).lines}


def notes(store: Store) -> str:
    return " ".join(notes_of(board_of(store)))
