"""Which method is closest to retraining, which next, and how sure that order is.

The interval of a rank follows from the contrasts between methods: a method ranks behind every one that is closer than
it, and before every one that is farther, by the adjusted verdicts. If no verdict of this family is wrong, every
interval holds the true rank; so all of them do together, with at least the confidence of the family (Al Mohamad,
Goeman and van Zwet, *Simultaneous confidence intervals for ranks*, Biometrics 2022; Mogstad, Romano, Shaikh and
Wilhelm, *Inference for ranks*, Review of Economic Studies 2024). Doing nothing, oracles and untuned controls have none.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import FEWEST, SCENARIO, ScenarioOf, View


@dataclass(frozen=True, kw_only=True)
class _Rank:
    row: Annotated[str, Column("", "the method")]
    methods: Annotated[int, Column("", "methods that are ranked: those with a gap on every reporting seed")]
    seeds: Annotated[int, Column("", "reporting seeds")]
    gap: Annotated[float, Column("fraction", "gap, mean over these seeds")]
    rank: Annotated[int, Column("", "1 for the smallest gap; equal gaps have the same rank")]
    rank_low: Annotated[
        int | None,
        Column("", f"best rank in the 95 % interval: 1 + methods that are closer; null below {FEWEST} seeds"),
    ]
    rank_high: Annotated[int | None, Column("", "worst rank in it: methods, without those that are farther")]
    best_share: Annotated[
        float, Column("fraction", "share of the seeds on which its gap was the smallest; equal ones share a seed")
    ]
    compute_share: Annotated[
        float | None, Column("fraction", "images trained on as a share of one retraining, mean over these seeds")
    ]
    on_front: Annotated[
        bool | None,
        Column("", "whether no other ranked method has a gap and a compute_share that are as small, one of them less"),
    ]


@dataclass(frozen=True, kw_only=True)
class RankRow(_Rank, ScenarioOf):
    """The rank of one method on one board."""


RANKS: Final = View(
    "The rank of each method by its gap, with a 95 % interval for all ranks together, and who is on the front of cost.",
    RankRow,
    f"""
with pairs as (
    select study, scenario, first as row, verdict, verdict = 'farther' as behind, verdict = 'closer' as before
    from contrasts where family = 'methods'
    union all
    select study, scenario, second as row, verdict, verdict = 'closer' as behind, verdict = 'farther' as before
    from contrasts where family = 'methods'
),
placed as (
    select study, scenario, row, count(*) + 1 as methods, count(*) filter (behind) as ahead,
        count(*) filter (before) as beaten, bool_or(verdict = 'too few seeds') as unknown
    from pairs group by all
),
runs as (
    select {SCENARIO}, row, training_seed, gap, compute_share,
        gap = min(gap) over (partition by study, scenario, training_seed) as best
    from confirmed semi join placed using (study, scenario, row)
),
means as (
    select {SCENARIO}, row, count(*) as seeds, avg(gap) as gap,
        avg(if(best, 1 / winners, 0)) as best_share,
        if(count(compute_share) = count(*), avg(compute_share), null) as compute_share
    from (
        select *, count(*) filter (best) over (partition by study, scenario, training_seed) as winners from runs
    )
    group by {SCENARIO}, row
),
beaten as (
    select distinct a.study, a.scenario, a.row
    from means a join means b using (study, scenario)
    where b.gap <= a.gap and b.compute_share <= a.compute_share
        and (b.gap < a.gap or b.compute_share < a.compute_share)
)
select {SCENARIO}, row, methods, seeds, gap,
    rank() over (partition by study, scenario order by gap) as rank,
    case when not unknown then 1 + ahead end as rank_low,
    case when not unknown then methods - placed.beaten end as rank_high,
    best_share, compute_share,
    case when compute_share is not null then beaten.row is null end as on_front
from means join placed using (study, scenario, row) left join beaten using (study, scenario, row)
order by study, dataset, augmentation, forget, scenario, rank, row
""",
    kept=True,
)
