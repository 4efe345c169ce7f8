"""What a view is: SQL over the tables and other views, and the meaning of each of its columns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from lethe.results.schema import Column

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class View:
    """A named query.

    Attributes:
        meaning: what it answers, a sentence.
        row_type: a row of the answer, as the types of the tables are written; its fields are the columns, in order.
        sql: may name tables, views, and the functions of ``lethe.results.functions``.
        kept: whether a database computes it once and keeps the answer. For a view that others read: DuckDB writes a
            view out wherever it is named, and planning views of views takes longer than their few rows do.
    """

    meaning: str
    row_type: "type[DataclassInstance]"
    sql: str
    kept: bool = False


PRECISION = Column("", "precision of training and unlearning; null in results of an early version")


@dataclass(frozen=True, kw_only=True)
class ScenarioOf:
    """Which scenario a row of a view is about."""

    study: Annotated[str, Column("", "name of the study")]
    dataset: Annotated[str, Column("", "name of the data set")]
    augmentation: Annotated[str, Column("", "augmentation")]
    network: Annotated[str, Column("", "network")]
    precision: Annotated[str | None, PRECISION]
    forget: Annotated[str, Column("", "forget request, as reports call it")]
    scenario: Annotated[str, Column("", "fingerprint of the scenario; rows of different scenarios are never averaged")]


FEWEST: Final = 3
"""Seeds below which nothing is concluded: two values give an interval of nine standard deviations to each side."""

LEVEL: Final = 0.05
"""The level of every test."""


def half_width(values: str, deviation: str = "") -> str:
    """Write the SQL of half a 95 % interval of the mean of a group's values (Student's t); null below `FEWEST`.

    Args:
        deviation: the SQL of their standard deviation, if it is not the one that they have.
    """
    return (
        f"case when count({values}) >= {FEWEST} then "
        f"t_quantile(count({values}), 0.975) * {deviation or f'stddev_samp({values})'} / sqrt(count({values})) end"
    )


ALIKE: Final = 1e-9
"""Values whose standard deviation is below this are all alike, but for rounding."""


def spread(values: str, images: str) -> str:
    """Write the SQL of the standard deviation of a group's values, which are means over images or differences of such.

    Where they are all alike it is the smallest that steps of 1 / images allow; null where these are not known.
    """
    smallest = f"1 / (max({images}) * sqrt(count({values})))"
    return f"if(stddev_samp({values}) > {ALIKE}, stddev_samp({values}), {smallest})"


IMAGES_OF_MEASURES: Final = """
select study, unit_id as confirmation_id, metric, max(n) as images from recorded_measures
where unit_kind = 'confirmation' and metric in ('ua', 'ra', 'ta', 'mia', 'auc') and class_index is null group by all
"""
"""SQL: how many images the measures of a confirmation are of; nothing of results of an early version."""


def spread_of_gaps(values: str, forget_images: str) -> str:
    """Write the SQL of the standard deviation of a group's gaps, or of differences of such, as `spread` does.

    A quarter of a gap is UA and a quarter MIA, whose steps are 1 / images of the forget set.
    """
    return spread(values, f"4 * {forget_images}")


def clipped(value: str, low: int, high: int) -> str:
    """Write the SQL of a value clipped to low ... high; null stays null."""
    return f"case when {value} is not null then greatest({low}, least({high}, {value})) end"


def with_p_holm(table: str, family: str, order: str) -> str:
    """Write the SQL of a table with an additional column, ``p_holm``: its column ``p`` adjusted by Holm (1979).

    The k-th smallest of m is multiplied by m - k + 1, and none is below one before it; null where p is.

    Args:
        table: the name of a common table expression with a column ``p``.
        family: columns whose equal values make a family, all tested together.
        order: columns that order equal p-values, so that the answer repeats.
    """
    ordered = f"partition by {family} order by p nulls last, {order}"
    step = f"least(1.0, p * (count(p) over (partition by {family}) - row_number() over ({ordered}) + 1))"
    return f"""
    select * exclude (step),
        case when p is not null then max(step) over ({ordered} rows unbounded preceding) end as p_holm
    from (select *, {step} as step from {table})
"""


LABELS_OF_SCENARIO = ", ".join(
    [
        *(
            f"arg_max({name}, (ended_at, {name})) over (partition by study, scenario) as {name}"
            for name in ("dataset", "network", "forget")
        ),
        "max(precision) over (partition by scenario) as precision",
    ]
)
"""SQL: a scenario's labels as in its newest row, for all rows: renaming a file makes no other scenario.

The precision is that of any row that says it; those of an early version do not.
"""

WHOLE = "select study, scenario, row from confirmed group by all having count(gap) = max(seeds_wanted)"
"""SQL: the rows that have a gap on every reporting seed; of the others, the seeds that are left are no fair sample."""

SCENARIO = "study, dataset, augmentation, network, precision, forget, scenario"


def scenario_of(table: str) -> str:
    """Return SQL: the columns of a scenario, as those of one of the tables that are joined."""
    return ", ".join(f"{table}.{name}" for name in SCENARIO.split(", "))
