"""What the audits say of a board's rows, and what each audit is worth on this data, as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lethe.report._board import Board
from lethe.report._class_names import Names, class_title
from lethe.report._numbers import p_value, row_title
from lethe.results.views import POWER, AuditVerdictRow

PLACES: Final = ("outputs", "representations", "recovery")
"""Where audits look (`LooksAt`), in the order of tables."""

NO_VERDICT: Final = "no oracle"
"""What stands for a verdict where there is nothing to hold a row against."""

STRONGEST_FIRST: Final = (
    "violation",
    "no violation detected",
    "inconclusive",
    "too few seeds",
    "reference",
    NO_VERDICT,
)
"""Verdicts of one statistic; several together say the first that one of them says."""

AUDITS_TO_READ: Final = (
    "Outputs: what somebody sees who may ask the model. Representations: what is left inside it, or around the images. "
    "Recovery: what comes back when it is changed or trained further. Violation: p below 0.05, adjusted for all "
    "statistics of the row (Holm). No violation detected: no statistic of "
    f"the row shows one, though one at least detects {100 * POWER:.0f} % of the originals and finds their row a "
    "violation; that is no proof that the model has forgotten. Inconclusive: none would have found even these. Power: "
    "share of the originals, which were trained on the forget set, that are detected one by one; false alarms: oracles "
    "that are, each held against the others. As if still in: the share of the forget set that would explain a value, "
    "linear between oracles (0 %) and originals (100 %), from the statistic with the smallest to that with the largest."
)


@dataclass(frozen=True)
class Found:
    """What one statistic says of one row.

    Attributes:
        value: its mean over the seeds.
        short: the same to two digits.
        dose: share of the forget set that would explain it, in percent; empty where the originals are not detected.
        p: adjusted; empty below three seeds.
    """

    value: str
    short: str
    dose: str
    p: str
    verdict: str


@dataclass(frozen=True)
class Seen:
    """What the audits that look at one place say of one row.

    Attributes:
        doses: the smallest and the largest share of the forget set that would explain what they find, in percent;
            empty where none is known.
    """

    verdict: str
    doses: str

    @property
    def in_words(self) -> str:
        """The verdict with the doses."""
        return f"{self.verdict}, {self.doses}" if self.doses else self.verdict


@dataclass(frozen=True)
class Judged:
    """One row, with what each statistic of the table says of it; None where it says nothing.

    Attributes:
        seen: the same by the places that the table's audits look at, in its order.
    """

    row: str
    overall: str
    doses: str
    found: tuple[Found | None, ...]
    seen: tuple[Seen | None, ...]


@dataclass(frozen=True)
class Worth:
    """What one statistic is worth on this data.

    Attributes:
        power: share of the originals that are detected one by one; empty where that is not known.
        false_alarms: how many of the oracles are; empty where that is not known.
    """

    metric: str
    power: str
    false_alarms: str


@dataclass(frozen=True)
class AuditTable:
    """The rows of a board, by the audits: a column for each statistic.

    Attributes:
        places: where the audits look.
    """

    places: tuple[str, ...]
    statistics: tuple[Worth, ...]
    rows: tuple[Judged, ...]


def audits_of(board: Board) -> AuditTable | None:
    """Return what the audits say of the rows of a board, doses last; None where there were none."""
    if not board.audits:
        return None
    audits = sorted(board.audits, key=_place_in_order)
    columns = list(dict.fromkeys(_column(one) for one in audits))
    places = tuple(dict.fromkeys(_place(one) for one in audits))
    first = {_column(one): one for one in reversed(board.audits)}
    of_board, audited = [line.row for line in board.lines], list(dict.fromkeys(one.row for one in board.audits))
    return AuditTable(
        places,
        tuple(_worth(first[column], board.class_names) for column in columns),
        tuple(
            _judged(row, [one for one in board.audits if one.row == row], columns, places)
            for row in [*(one for one in of_board if one in audited), *(one for one in audited if one not in of_board)]
        ),
    )


def audited_as(board: Board, row: str) -> str | None:
    """Return the verdict of all audits together on a row; None where no audit was asked, or none has a verdict."""
    return next((one.overall for one in board.audits if one.row == row), None)


def violations_in_words(table: AuditTable, row: Judged) -> str:
    """Name the statistics by which a row is a violation, with their adjusted p."""
    return ", ".join(
        f"{worth.metric} (p {found.p})"
        for worth, found in zip(table.statistics, row.found, strict=True)
        if found and found.verdict == "violation"
    )


_Column = tuple[str, str | None, int | None]


def _column(one: AuditVerdictRow) -> _Column:
    return one.metric, one.split, one.class_index


def _place(one: AuditVerdictRow) -> str:
    """Where an audit looks; results of early versions do not say it."""
    return one.looks_at or "all audits"


def _place_in_order(one: AuditVerdictRow) -> int:
    return PLACES.index(one.looks_at) if one.looks_at in PLACES else len(PLACES)


def _worth(one: AuditVerdictRow, names: Names) -> Worth:
    class_ = "" if one.class_index is None else f" of {class_title(names, one.class_index)}"
    rate = one.false_positive_rate
    return Worth(
        f"{one.metric}{class_}",
        "" if one.power is None else f"{100 * one.power:.0f} %",
        "" if rate is None else f"{round(rate * one.oracles)} of {one.oracles}",
    )


def _judged(row: str, verdicts: Sequence[AuditVerdictRow], columns: Iterable[_Column], places: Iterable[str]) -> Judged:
    by_column = {_column(one): one for one in verdicts}
    return Judged(
        row_title(row),
        verdicts[0].overall or NO_VERDICT,
        _doses(verdicts),
        tuple(_found(by_column[column]) if column in by_column else None for column in columns),
        tuple(_seen([one for one in verdicts if _place(one) == place]) for place in places),
    )


def _seen(verdicts: Sequence[AuditVerdictRow]) -> Seen | None:
    said = {one.verdict or NO_VERDICT for one in verdicts}
    return next((Seen(verdict, _doses(verdicts)) for verdict in STRONGEST_FIRST if verdict in said), None)


def _doses(verdicts: Iterable[AuditVerdictRow]) -> str:
    doses = sorted(round(100 * one.dose) for one in verdicts if one.dose is not None)
    if not doses:
        return ""
    return f"{doses[0]} %" if doses[0] == doses[-1] else f"{doses[0]} to {doses[-1]} %"


def _found(one: AuditVerdictRow) -> Found:
    dose = "" if one.dose is None else f"{100 * one.dose:.0f}"
    p = "" if one.p_holm is None else p_value(one.p_holm)
    return Found(f"{one.mean:.3g}", f"{one.mean:.2g}", dose, p, one.verdict or NO_VERDICT)
