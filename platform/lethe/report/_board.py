"""What the leaderboard says: for each question every row of the table, the noise floor, and how the rows compare.

How it is printed is told in ``_leaderboard.py``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from statistics import fmean

from lethe.results import ConfirmationRow, Store, to_rows
from unlearning.metrics import Interval, interval


@dataclass(frozen=True)
class Line:
    """One row of the table.

    Attributes:
        rows: one confirmation a training seed.
        gap: over the seeds; the oracle's has no interval (its ends are nan).
        at_floor: whether the interval reaches the noise floor.
    """

    name: str
    rows: tuple[ConfirmationRow, ...]
    gap: Interval | None
    at_floor: bool

    @property
    def is_choice(self) -> bool:
        """Whether the row is the setting that a method's search chose: no control, and neither original nor oracle."""
        return self.rows[0].method == self.name and self.name not in ("original", "oracle")

    @property
    def gaps(self) -> dict[int, float]:
        """The gap by training seed, where there is one."""
        return {row.training_seed: row.gap for row in self.rows if row.gap is not None}

    def mean(self, column: str) -> float | None:
        """Average a column over the seeds; None where it holds nothing."""
        values = [value for row in self.rows if (value := getattr(row, column)) is not None]
        return fmean(values) if values else None


@dataclass(frozen=True)
class Contrast:
    """How much farther from the oracle one row is than another, paired over the training seeds that both have.

    Attributes:
        difference: of the gaps, the second's taken from the first's; below zero, the first is closer to the oracle.
    """

    first: str
    second: str
    difference: Interval


@dataclass(frozen=True)
class Board:
    """The table of one question, and each method's contrasts with doing nothing and with its own controls."""

    title: str
    seeds: tuple[int, ...]
    lines: tuple[Line, ...]
    contrasts: tuple[Contrast, ...]


def leaderboard(store: Store, study: str | None = None) -> list[Board]:
    """Read the confirmed comparison of each question, of one study or of all."""
    questions: defaultdict[tuple[str, str], list[ConfirmationRow]] = defaultdict(list)
    for row in to_rows(store.read("confirmations", study), ConfirmationRow):
        questions[row.study, row.question].append(row)
    boards = [_board(rows) for rows in questions.values()]
    return sorted(boards, key=lambda board: board.title)


def _board(rows: Sequence[ConfirmationRow]) -> Board:
    by_name: defaultdict[str, list[ConfirmationRow]] = defaultdict(list)
    for row in rows:
        by_name[row.row].append(row)
    current = {name: _current(members) for name, members in by_name.items()}
    floor = _floor(current.get("oracle", ()))
    lines = tuple(_line(name, current[name], floor) for name in sorted(current, key=_position))
    first = rows[0]
    seeds = tuple(sorted({row.training_seed for members in current.values() for row in members}))
    title = f"{first.study} · {first.dataset}, augmentation {first.arm}, forget {first.forget} · {first.network}"
    return Board(title, seeds, lines, tuple(_contrasts(lines)))


def _contrasts(lines: Sequence[Line]) -> Iterator[Contrast]:
    """Pair rows; one with a seed that diverged has no gap, and without it the others would flatter it."""
    whole = [line for line in lines if line.gap is not None]
    for first in whole:
        if not first.is_choice:
            continue
        for second in whole:
            is_control = second.rows[0].method == first.name and second is not first
            differences = [first.gaps[seed] - second.gaps[seed] for seed in first.gaps.keys() & second.gaps.keys()]
            if differences and (second.name == "original" or is_control):
                yield Contrast(first.name, second.name, interval(differences))


def _current(rows: Iterable[ConfirmationRow]) -> tuple[ConfirmationRow, ...]:
    """Keep the newest row of each seed, and of a searched row only the choice that the longest search made.

    What no search chose has no choice to keep: the oracle's setting names the other seeds, so each seed has its own.
    """
    in_order = sorted(rows, key=lambda row: (row.tuning_trials or 0, row.ended_at))
    last = in_order[-1]
    chosen = [row for row in in_order if last.tuning_trials is None or row.setting == last.setting]
    by_seed = {row.training_seed: row for row in chosen}
    return tuple(by_seed[seed] for seed in sorted(by_seed))


def _gap(rows: Sequence[ConfirmationRow]) -> Interval | None:
    gaps = [row.gap for row in rows if row.gap is not None]
    return interval(gaps) if gaps and len(gaps) == len(rows) else None


def _floor(rows: Sequence[ConfirmationRow]) -> Interval | None:
    """Give the noise floor, without an interval: the seeds' values share their oracles, so they are not independent."""
    gap = _gap(rows)
    return None if gap is None else Interval(gap.mean, nan, nan)


def _line(name: str, rows: tuple[ConfirmationRow, ...], floor: Interval | None) -> Line:
    if name == "oracle":
        return Line(name, rows, floor, at_floor=False)
    gap = _gap(rows)
    return Line(name, rows, gap, at_floor=gap is not None and floor is not None and _reaches(gap, floor.mean))


def _reaches(gap: Interval, floor: float) -> bool:
    """Tell whether a gap comes down to the floor; with one seed it has no interval, and its mean counts."""
    return gap.mean <= floor or gap.low <= floor


def _position(name: str) -> tuple[int, str]:
    return {"original": 0, "oracle": 1}.get(name, 2), name
