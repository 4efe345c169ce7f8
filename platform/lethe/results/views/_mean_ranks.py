"""The ranks of the methods over all boards of a study.

No test belongs to them: the boards of a study are few, were not drawn from anything and share their data or seeds, and
the approximations of Friedman's and Nemenyi's tests want ten independent data sets or more (Demsar, JMLR 2006).
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import View


@dataclass(frozen=True, kw_only=True)
class MeanRankRow:
    """The ranks of one method over the boards of a study."""

    study: Annotated[str, Column("", "name of the study")]
    row: Annotated[str, Column("", "the method; only those that are ranked on every board of the study")]
    methods: Annotated[int, Column("", "methods that are ranked on every board, among which the ranks are")]
    scenarios: Annotated[int, Column("", "boards with ranks; two or more")]
    mean_rank: Annotated[float, Column("", "mean of its ranks; equal gaps have the mean of the ranks that they take")]
    best_rank: Annotated[float, Column("", "its best rank")]
    worst_rank: Annotated[float, Column("", "its worst rank")]
    unbeaten: Annotated[
        int | None,
        Column("", "boards on which no method is closer by the adjusted verdicts; null with too few seeds"),
    ]


MEAN_RANKS: Final = View(
    "The ranks of each method over the boards of a study, where there are several: mean, best, worst. Without a test.",
    MeanRankRow,
    """
with boards_ranked as (select study, count(distinct scenario) as scenarios from ranks group by study),
everywhere as (
    select study, row from ranks join boards_ranked using (study)
    group by study, row having count(*) = any_value(scenarios)
),
ranked as (
    select study, scenario, row, rank_low,
        rank() over (partition by study, scenario order by gap)
            + (count(*) over (partition by study, scenario, gap) - 1) / 2 as rank,
        count(*) over (partition by study, scenario) as methods
    from ranks semi join everywhere using (study, row)
)
select study, row, any_value(methods) as methods, count(*) as scenarios, avg(rank) as mean_rank,
    min(rank) as best_rank, max(rank) as worst_rank,
    if(count(rank_low) = count(*), count(*) filter (rank_low = 1), null) as unbeaten
from ranked
group by study, row having count(*) > 1
order by study, mean_rank, row
""",
)
