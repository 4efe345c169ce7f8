"""What a clinic sees of a scenario: tables of all classes, of the critical ones and of each class, a line a row.

Only statistics that some row has become columns; without the clinical audit there is nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from lethe.report._board import Key
from lethe.report._class_names import Names, class_names, class_title
from lethe.report._measured import is_measured
from lethe.report._numbers import percent, row_title, signed
from lethe.results import Results, to_rows
from lethe.results.views import CLINICAL_PREFIX, ClinicalRow


@dataclass(frozen=True)
class Shown:
    """A statistic as tables show it.

    Attributes:
        meaning: a phrase.
        write, write_difference: how a value and a difference of two are written.
        beside: what a table shows beside the mean: its difference to the oracle with an interval, its own interval, or
            nothing.
        paired: the statistic that is the difference on the same images, whose interval is over seeds and images; empty
            where the difference is taken between seeds alone.
    """

    statistic: str
    heading: str
    meaning: str
    write: Callable[[float], str]
    write_difference: Callable[[float], str]
    beside: Literal["difference", "interval", "nothing"] = "difference"
    paired: str = ""


def _fixed(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}"


def _signed(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:+.{digits}f}"


_SHARE: Final = (percent, signed)
_CHANGE: Final = (_signed(1), _signed(1))
_AMOUNT: Final = (_fixed(2), _signed(2))

OF_ALL: Final = (
    Shown("worst_class_sensitivity", "worst class", "the smallest sensitivity of a class", *_SHARE),
    Shown(
        "worst_third_sensitivity",
        "worst third",
        "the smallest accuracy among thirds of the images, by the loss of other oracles",
        *_SHARE,
    ),
    Shown(
        "worst_group_sensitivity",
        "worst group",
        "the smallest accuracy among the groups of the column that the study names",
        *_SHARE,
    ),
    Shown(
        "auroc",
        "AUROC",
        "the mean area of each class against the rest; the interval is over seeds and images",
        *_SHARE,
        paired="auroc_difference",
    ),
    Shown("log_loss", "log loss", "of the true class's probability, in nats", *_AMOUNT),
    Shown(
        "temperature_ratio",
        "temperature",
        "that which corrects the probabilities, over the original's; above 1 for a model surer than it was",
        *_AMOUNT,
    ),
    Shown(
        "flips_beyond_churn",
        "flips beyond churn",
        "of 1,000 images, those with another decision than other oracles', minus the paired oracle's",
        *_CHANGE,
        beside="interval",
    ),
    Shown(
        "noninferior",
        "non-inferior",
        "share of the seeds whose images show, for each class, that the loss of sensitivity against the oracle is "
        "below the margin; of the oracle, against other oracles: if that is small, there are too few images to show it",
        *_SHARE,
        beside="nothing",
    ),
)
"""The columns about all classes, in order."""

OF_CRITICAL: Final = (
    Shown("critical_sensitivity", "sensitivity", "share of the critical images that are called critical", *_SHARE),
    Shown("critical_specificity", "specificity", "share of the other images that are not", *_SHARE),
    Shown(
        "critical_worst_group_sensitivity",
        "worst group",
        "the smallest sensitivity among the groups of the column that the study names",
        *_SHARE,
    ),
    Shown(
        "critical_auroc",
        "AUROC",
        "the area of the critical classes against the rest; the interval is over seeds and images",
        *_SHARE,
        paired="critical_auroc_difference",
    ),
    Shown(
        "critical_flips_beyond_churn",
        "flips beyond churn",
        "of 1,000 images, those that other oracles call critical and the row does not, minus the paired oracle's",
        *_CHANGE,
        beside="interval",
    ),
    Shown(
        "cost_10",
        "cost at 10 : 1",
        "what decisions cost where a missed critical image costs 10 false alarms; 1 is the best constant decision",
        *_AMOUNT,
    ),
    Shown(
        "critical_noninferior",
        "non-inferior",
        "share of the seeds whose images show that the loss of this sensitivity is below the margin",
        *_SHARE,
        beside="nothing",
    ),
)
"""The columns about the critical classes, held together against the rest, in order."""

OF_EACH_CLASS: Final = (
    Shown(
        "point_sensitivity",
        "Sensitivity of each class at its operating point",
        "operating points are fixed on the original's validation images, a threshold a class, and kept for every row",
        *_SHARE,
    ),
    Shown(
        "auroc",
        "AUROC of each class against the rest",
        "the intervals are over seeds and images",
        *_SHARE,
        paired="auroc_difference",
    ),
)
"""What is shown of each class, a table each."""

TO_READ_ALONE: Final = "On the test split, means over training seeds, in percent where no other unit is named."

TO_READ: Final = (
    f"{TO_READ_ALONE[:-1]}; with each the difference to the paired oracle and its 95 % interval, over seeds where "
    "nothing else is said, none of them adjusted for how many there are."
)


@dataclass(frozen=True)
class Cell:
    """A value, and what stands beside it.

    Attributes:
        text: empty without a value, for which `value` is None.
        beside: the difference to the oracle with its interval, or the interval of the value; empty where there is none.
        difference: without its interval; empty where it is not shown.
        excludes_zero: whether the interval does.
    """

    text: str = ""
    value: float | None = None
    beside: str = ""
    difference: str = ""
    excludes_zero: bool = False


@dataclass(frozen=True)
class Line:
    """One row of a table: 'original', 'oracle' or another, and its cells."""

    row: str
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """How tables name the row."""
        return row_title(self.row)


@dataclass(frozen=True)
class Table:
    """Some statistics of each row; the title is empty for those of all classes."""

    title: str
    columns: tuple[Shown, ...]
    lines: tuple[Line, ...]

    @property
    def legend(self) -> str:
        """What the columns are."""
        return "; ".join(f"{one.heading}: {one.meaning}" for one in self.columns)


@dataclass(frozen=True)
class ClassTable:
    """One statistic of each row and each class.

    Attributes:
        heads: how tables name the classes.
    """

    shown: Shown
    heads: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Clinic:
    """What a clinic sees of one scenario.

    Attributes:
        rows: all statistics of all rows, in the order of the view.
        class_names: the names that are known, by the position of the class.
    """

    rows: tuple[ClinicalRow, ...]
    class_names: Names

    @property
    def key(self) -> Key:
        """Which scenario it is."""
        return self.rows[0].study, self.rows[0].scenario

    @property
    def tables(self) -> tuple[Table, ...]:
        """What is found of all classes, and of the critical ones where the study names some."""
        found = (
            self._table("", OF_ALL),
            self._table("The critical classes, at the operating point of the original", OF_CRITICAL),
        )
        return tuple(one for one in found if one.columns)

    @property
    def by_class(self) -> tuple[ClassTable, ...]:
        """What is found of each class, for the statistics that some row has."""
        found = ((shown, self._classes(shown.statistic)) for shown in OF_EACH_CLASS)
        return tuple(self._class_table(shown, classes) for shown, classes in found if classes)

    def _classes(self, statistic: str) -> list[int]:
        """List the classes that some row has a value of."""
        return sorted({index for _, name, index in self._values if name == statistic and index is not None})

    def _class_table(self, shown: Shown, classes: Sequence[int]) -> ClassTable:
        heads = tuple(class_title(self.class_names, index) for index in classes)
        lines = tuple(Line(row, tuple(self._cell(row, shown, index) for index in classes)) for row in self._names)
        return ClassTable(shown, heads, lines)

    def _table(self, title: str, columns: Sequence[Shown]) -> Table:
        """Hold the columns that some row has a value of."""
        known = tuple(one for one in columns if any((row, one.statistic, None) in self._values for row in self._names))
        lines = tuple(Line(row, tuple(self._cell(row, one, None) for one in known)) for row in self._names)
        return Table(title, known, lines)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.row for one in self.rows))

    @cached_property
    def _values(self) -> dict[tuple[str, str, int | None], ClinicalRow]:
        """The values by row, statistic and class; of several versions of the audit the newest."""
        ordered = sorted(self.rows, key=lambda one: one.version or 0)
        return {(one.row, one.statistic, one.class_index): one for one in ordered if one.mean is not None}

    def _cell(self, row: str, shown: Shown, class_index: int | None) -> Cell:
        found = self._values.get((row, shown.statistic, class_index))
        if found is None or found.mean is None:
            return Cell()
        text, written = shown.write(found.mean), shown.write_difference
        if shown.beside == "interval":
            apart, ends = _ends(found.low, found.high, written)
            return Cell(text, found.mean, ends, excludes_zero=apart)
        if shown.beside == "nothing" or found.difference is None:
            return Cell(text, found.mean)
        short = written(found.difference)
        if shown.paired:
            paired = self._values.get((row, shown.paired, class_index))
            apart, ends = _ends(paired.total_low, paired.total_high, written) if paired else (False, "")
        else:
            apart, ends = _ends(found.difference_low, found.difference_high, written)
        return Cell(text, found.mean, f"{short} {ends}".rstrip(), short, apart)


def _ends(low: float | None, high: float | None, written: Callable[[float], str]) -> tuple[bool, str]:
    """Return whether an interval excludes zero, and it in brackets; nothing where there is none."""
    if low is None or high is None:
        return False, ""
    return low > 0 or high < 0, f"[{written(low)}, {written(high)}]"


def clinics_of(results: Results) -> dict[Key, Clinic]:
    """Read what a clinic sees of each scenario that has it; where none does, the view is not computed."""
    if not is_measured(results, f"starts_with(metric, '{CLINICAL_PREFIX}')"):
        return {}
    rows: defaultdict[Key, list[ClinicalRow]] = defaultdict(list)
    for row in to_rows(results.load("clinical"), ClinicalRow):
        rows[row.study, row.scenario].append(row)
    names = class_names(results)
    return {key: Clinic(tuple(found), names.get(key, {})) for key, found in rows.items()}
