"""What can be queried in these results: tables, views and saved queries, their columns, and example queries.

``python -m lethe.results.guide > docs/data_model.md`` writes the page of the tables and views anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lethe.results.rows import IMAGES, TABLES, UNITS, ImageRow
from lethe.results.saved import read_saved
from lethe.results.schema import ColumnDescription, describe
from lethe.results.sql import Results
from lethe.results.views import VIEWS
from lethe.storage.root import StorageRoot

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EXAMPLES: Final = (
    "select study, dataset, augmentation, row, gap, gap_low, gap_high, excess, excess_upper, margin, verdict "
    "from leaderboard",
    "select row, augmentation, against, mean, mean_against, difference, low, high from augmentation "
    "where metric = 'gap'",
    "select stage, method, units, seconds, cpu_seconds, gpu_seconds from cost",
    "select dataset, augmentation, method, lr, density, tuning_gap, confirmed_gap, tuning_trials, trial_id from chosen",
    "select dataset, augmentation, first, second, difference, low, high, family, p_holm, verdict from contrasts",
    "select dataset, row, rank, rank_low, rank_high, best_share, on_front from ranks",
    "select row, count(*) as boards, avg(rank) as mean_rank, min(rank) as best, max(rank) as worst from ranks "
    "group by row order by mean_rank",
    "select dataset, method, tuning_gap, confirmed_gap, optimism, optimism_low, optimism_high from optimism",
    "select method, lr_low, lr_high, trials, gap_best, best_trial from sensitivity order by gap_best",
    "select trial_id, epoch, ua, ra, va, mia, gap from epochs order by all",
    "select kind, id, status, cause, error from failures",
    "select kind, dataset, augmentation, training_seed, va, ta, seconds_train from artifacts",
    "select study, started_at, lethe_version, code_version from studies",
)
"""Common queries, the most common first; which of them have an answer depends on the results."""


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


def sources(root: StorageRoot) -> Iterator[Source]:
    """List the views, the tables and the saved queries of the results."""
    yield from _built_in()
    for name, sql in read_saved(root).items():
        yield Source(name, "saved query", " ".join(sql.split()), ())


def examples(root: StorageRoot, count: int = 3) -> list[str]:
    """Return the first queries of `EXAMPLES` that have rows here; fewer where there is less to ask.

    Raises:
        QueryError: no results there.
        SchemaError: a newer Lethe wrote a part.
    """
    results = Results(root)
    answered = (sql for sql in EXAMPLES if len(results.query(sql)))
    return [sql for sql, _ in zip(answered, range(count), strict=False)]


def data_model() -> str:
    """Write the page of all tables and views, as Markdown."""
    pages = [_HEAD]
    for source in _built_in():
        rows = [
            f"| `{one.name}` | {one.type}{', null' if one.nullable else ''} | {one.unit} | {one.meaning} |"
            for one in source.columns
        ]
        head = ["| column | type | unit | meaning |", "|---|---|---|---|"]
        pages.append("\n".join([f"## {source.name} ({source.kind})", "", source.meaning, "", *head, *rows, ""]))
    return "\n".join(pages)


_HEAD: Final = f"""# The data model

Every table and view that `lethe query` and `lethe.results.load` know, with each column's type, unit and meaning. Views
answer the questions that people ask; tables are the record they are made from. Accuracies, scores and gaps are
fractions in [0, 1], times are seconds of wall clock, instants are UTC. This page is written by
`python -m lethe.results.guide`; `lethe query "from columns"` returns the same as a table.

Rows are Parquet files under `tables/TABLE/STUDY/` in the results folder: a part for each unit of work, and under
`merged/` files that hold many. Where a unit is in several files, after a kill, the part counts, else the merged file of
the highest number. Units by table: {", ".join(f"{table}: `{key}`" for table, key in UNITS.items())}.
"""


def _built_in() -> Iterator[Source]:
    for name, view in VIEWS.items():
        yield Source(name, "view", view.meaning, describe(view.row_type))
    for name, row_type in TABLES.items():
        yield _table(name, "table", row_type)
    yield _table(IMAGES, "table, with --names", ImageRow)


def _table(name: str, kind: str, row_type: "type[DataclassInstance]") -> Source:
    return Source(name, kind, (row_type.__doc__ or "").partition("\n")[0], describe(row_type))


if __name__ == "__main__":
    print(data_model(), end="")
