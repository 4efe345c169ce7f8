"""What can be asked of the results at hand: tables, views and saved queries, their columns, and queries that answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lethe.place import Place
from lethe.results.query import query
from lethe.results.rows import TABLES
from lethe.results.saved import read_saved
from lethe.results.schema import ColumnDescription, describe
from lethe.results.views import VIEWS

EXAMPLES: Final = (
    "select study, dataset, arm, row, gap, gap_low, gap_high, noise_floor, at_floor from leaderboard",
    "select row, arm, against, mean, mean_against, difference, low, high from augmentation where metric = 'gap'",
    "select stage, method, units, seconds, cpu_seconds, gpu_seconds from cost",
    "select dataset, arm, method, lr, density, gap, original_gap, tuning_trials, trial_id from best",
    "select method, lr_low, lr_high, trials, gap_best, best_trial from sensitivity order by gap_best",
    "select trial_id, epoch, ua, ra, va, mia, gap from epochs order by all",
    "select kind, id, status, cause, error from failures",
    "select kind, dataset, arm, training_seed, va, ta, seconds_train from artifacts",
    "select study, started_at, lethe_version, code_version from studies",
)
"""Questions that people ask, the commonest first; which of them have an answer depends on the results."""


@dataclass(frozen=True)
class Source:
    """Something that a query can name.

    Attributes:
        columns: none for a saved query, whose columns follow from its SQL.
    """

    name: str
    kind: str
    meaning: str
    columns: tuple[ColumnDescription, ...]


def sources(place: Place) -> Iterator[Source]:
    """List the views, the tables and the saved queries of a results place."""
    for name, view in VIEWS.items():
        yield Source(name, "view", view.meaning, describe(view.row_type))
    for name, row_type in TABLES.items():
        yield Source(name, "table", (row_type.__doc__ or "").partition("\n")[0], describe(row_type))
    for name, sql in read_saved(place).items():
        yield Source(name, "saved query", " ".join(sql.split()), ())


def examples(place: Place, count: int = 3) -> list[str]:
    """Give the first queries of `EXAMPLES` that have rows here; fewer where there is less to ask.

    Raises:
        QueryError: no results in the place.
        SchemaError: a newer Lethe wrote a part.
    """
    answered = (sql for sql in EXAMPLES if len(query(sql, place)))
    return [sql for sql, _ in zip(answered, range(count), strict=False)]
