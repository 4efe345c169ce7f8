"""The confirmed comparison: for each question every row of the table, with intervals and the noise floor."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lethe.results.rows import ConfirmationRow
from lethe.results.schema import to_rows
from lethe.results.store import Store
from unlearning.metrics import Interval, interval

NOTE = (
    "Percent, means over the training seeds. Gap: mean |difference| to the oracle of the same seed over UA, RA, TA and "
    "MIA, with its 95 % interval over seeds (Student's t). The noise floor is the gap between oracles of different "
    "seeds. ≈: the interval reaches the noise floor, so these seeds cannot tell this row from retraining."
)


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

    def mean(self, column: str) -> float | None:
        """Average a column over the seeds; None where it holds nothing."""
        values = [value for row in self.rows if (value := getattr(row, column)) is not None]
        return fmean(values) if values else None


@dataclass(frozen=True)
class Board:
    """The table of one question."""

    title: str
    seeds: tuple[int, ...]
    lines: tuple[Line, ...]


def leaderboard(store: Store, study: str | None = None) -> list[Board]:
    """Read the confirmed comparison of each question, of one study or of all."""
    questions: defaultdict[tuple[str, str], list[ConfirmationRow]] = defaultdict(list)
    for row in to_rows(store.read("confirmations", study), ConfirmationRow):
        questions[row.study, row.question].append(row)
    boards = [_board(rows) for rows in questions.values()]
    return sorted(boards, key=lambda board: board.title)


def print_leaderboard(boards: Sequence[Board], console: Console) -> None:
    """Print a table a question, and how to read it."""
    for board in boards:
        console.print(Group(Text(board.title, style="bold"), _table(board), *_choices(board)))
    if boards:
        console.print(Text(NOTE, style="dim"))


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
    return Board(title, seeds, lines)


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


def _table(board: Board) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("row")
    for name in ("UA", "RA", "TA", "MIA", "gap [95 %]", "", "seconds", "of re-\ntraining", "tuning"):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    names = {"original": "original (do nothing)", "oracle": "oracle (noise floor)"}
    for line in board.lines:
        table.add_row(
            names.get(line.name, line.name),
            *(_percent(line.mean(column)) for column in ("ua", "ra", "ta", "mia")),
            _shown(line),
            "≈" if line.at_floor else "",
            _number(line.mean("seconds_unlearn")),
            _percent(line.mean("retrain_share")),
            _tuning(line),
        )
    return table


def _choices(board: Board) -> list[Text]:
    """Say which setting each search chose; a control shares all of it but what its name says."""
    chosen = [line.rows[0] for line in board.lines if line.rows[0].trial_id and line.name == line.rows[0].method]
    return [Text(f"{row.method}: {_setting(row)} (trial {row.trial_id})", style="dim") for row in chosen]


def _setting(row: ConfirmationRow) -> str:
    options = {name: value for name, value in json.loads(row.setting).items() if name != "name"}
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in options.items()
    )


def _shown(line: Line) -> str:
    if line.gap is None:
        return next((row.status for row in line.rows if row.status != "done"), "")
    gap = line.gap
    if isnan(gap.low):
        return _percent(gap.mean)
    return f"{_percent(gap.mean)} [{_percent(max(gap.low, 0.0))}, {_percent(gap.high)}]"


def _tuning(line: Line) -> str:
    row = line.rows[0]
    if row.tuning_trials is None or row.tuning_seconds is None:
        return ""
    return f"{row.tuning_trials} in {row.tuning_seconds:.0f} s"


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
