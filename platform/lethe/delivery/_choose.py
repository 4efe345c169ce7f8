"""Which row of a study is delivered: the method with the smallest confirmed gap, or the one that was named."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lethe.errors import LetheError
from lethe.report import Board, first_of, is_choice, tied_of
from lethe.results.no_oracle import NO_ORACLE
from lethe.results.views import LeaderboardRow
from lethe.study import MethodSearch, Scenario

TRAINED_HERE: Final = "earlier_weights"
"""What a method may need that a model has only if it was trained here."""


class DeliveryError(LetheError):
    """A model that cannot be delivered; the message says why, and what would help."""


@dataclass(frozen=True)
class Chosen:
    """The row whose setting is delivered.

    Attributes:
        line: of the leaderboard.
        board: the table that it is in.
        method_search: whose setting it has.
        why: how it was chosen, a sentence.
    """

    line: LeaderboardRow
    board: Board
    method_search: MethodSearch
    why: str

    @property
    def scenario(self) -> Scenario:
        """What is to be forgotten: of a stream of requests, all so far."""
        return next(one for one in self.method_search.scenarios if one.fingerprint == self.board.key[1])


def choose_row(
    boards: Sequence[Board], method_searches: Sequence[MethodSearch], method: str | None, scenario: str | None
) -> Chosen:
    """Choose what is delivered.

    Methods that need what only a model that was trained here has are left out where the original is given.

    Args:
        boards: of the study.
        method: the row to deliver, such as `salun`; None: the one with the smallest gap.
        scenario: the beginning of the fingerprint of its scenario; None where the study has one, or one stream of
            requests, of which the last counts.

    Raises:
        DeliveryError: no scenario or several, no such method, no method has a gap on every reporting seed, or there are
            no oracles and several methods of which none is named.
    """
    last = _last_request(method_searches) if scenario is None else None
    if boards and last is not None and all(board.key[1] != last for board in boards):
        raise DeliveryError(
            "what is confirmed of the study is of other data, another network, recipe or request than it names now: "
            "`lethe run` it again"
        )
    board = _board(boards, scenario or last)
    searches = {
        one.row: one for one in method_searches if board.key[1] in (asked.fingerprint for asked in one.scenarios)
    }
    lines = {
        line.row: line for line in board.lines if is_choice(line) and line.row in searches and not _is_control(line)
    }
    left_out = [row for row in lines if _needs_training(searches[row])]
    if method is not None:
        _check_named(board, lines, left_out, method)
        return Chosen(lines[method], board, searches[method], f"{method} was asked for.")
    if not board.has_oracles:
        return _only(board, lines, searches)
    return _best(board, {row: line for row, line in lines.items() if row not in left_out}, searches, left_out)


def _only(board: Board, lines: dict[str, LeaderboardRow], searches: dict[str, MethodSearch]) -> Chosen:
    """Choose the one method of a study without oracles, where no gap says which of several is the best."""
    if len(lines) != 1:
        raise DeliveryError(
            f"{board.title}: {NO_ORACLE} So no method is the best; name one with --method: {', '.join(lines) or 'none'}"
        )
    [row] = lines
    _check_named(board, lines, (), row)
    return Chosen(lines[row], board, searches[row], f"{row} is the only method of the study.")


def _best(
    board: Board, lines: dict[str, LeaderboardRow], searches: dict[str, MethodSearch], left_out: Sequence[str]
) -> Chosen:
    known = [line for line in lines.values() if line.gap is not None]
    if not known:
        states = ", ".join(f"{line.row} ({line.status})" for line in lines.values()) or "none"
        raise DeliveryError(
            f"{board.title}: no method has a gap on every reporting seed, so there is none to deliver; "
            f"methods: {states}"
        )
    line = min(known, key=lambda one: (one.gap, one.row))
    tied = [row for row in tied_of(board) if row in lines and row != line.row]
    why = f"{line.row} has the smallest gap of {len(known)} method{'s' if len(known) > 1 else ''}"
    if line.row in tied_of(board) and tied:
        why += f", tied with {', '.join(tied)}"
    if left_out:
        why += f"; {', '.join(left_out)} left out, which need an original that was trained here"
    first = first_of(board)
    if left_out and first is not None and first.row in left_out:
        why += f" ({first.row} has the smallest gap of all)"
    return Chosen(line, board, searches[line.row], f"{why}.")


def _last_request(method_searches: Sequence[MethodSearch]) -> str | None:
    """Return the fingerprint of the scenario that a study ends with, where it has one, or one stream of requests."""
    ends = {one.scenarios[-1].fingerprint for one in method_searches}
    return ends.pop() if len(ends) == 1 else None


def _board(boards: Sequence[Board], scenario: str | None) -> Board:
    found = [board for board in boards if board.key[1].startswith(scenario or "")]
    if len(found) == 1:
        return found[0]
    listed = "".join(f"\n  --scenario {board.key[1][:8]}: {board.title}" for board in boards)
    if not boards:
        raise DeliveryError("nothing is confirmed yet of the study: `lethe run` it first")
    wanted = "one of its scenarios" if scenario is None else f"a scenario whose fingerprint begins with {scenario}"
    raise DeliveryError(f"wanted {wanted}, got {len(found)} of {len(boards)}; name one:{listed}")


def _check_named(board: Board, lines: dict[str, LeaderboardRow], left_out: Sequence[str], method: str) -> None:
    if method not in lines:
        kind = ", a control or reference that is never delivered" if method in {one.row for one in board.lines} else ""
        raise DeliveryError(f"{board.title}: no method {method}{kind}; methods: {', '.join(lines) or 'none'}")
    if method in left_out:
        raise DeliveryError(f"{method} needs weights of before the end of the training, which a given model lacks")
    line = lines[method]
    if line.status != "done":
        raise DeliveryError(f"{board.title}: {method} is not confirmed on every reporting seed ({line.status})")


def _is_control(line: LeaderboardRow) -> bool:
    return line.untuned or line.row != line.method


def _needs_training(method_search: MethodSearch) -> bool:
    given = method_search.study.original is not None
    return given and TRAINED_HERE in method_search.choice.method.requires
