"""How much better each chosen setting looked on the seeds that it was chosen on than on the reporting seeds.

The search measures validation images and attacks with non-members from there; reporting takes test images. So the two
gaps differ in what they measure too. Both runs have UA, RA and VA, and MIA where its non-members are from validation in
both; the gaps over these alone compare like with like, and what remains between them is the choice's luck.

Gaps that are all alike have the smallest spread that steps of the forget set's images allow.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import FEWEST, SCENARIO, ScenarioOf, View, clipped, half_width, spread, spread_of_gaps


@dataclass(frozen=True, kw_only=True)
class _Optimism:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    method: Annotated[str, Column("", "unlearning method")]
    row: Annotated[str, Column("", "row of the comparison: the method, or its control where that was searched itself")]
    trial_id: Annotated[str, Column("", "trial of the chosen setting")]
    tuning_seeds: Annotated[list[int], Column("", "training seeds that the setting was chosen on")]
    seeds: Annotated[int, Column("", "reporting seeds")]
    tuning_gap: Annotated[float, Column("fraction", "gap on the tuning seeds: UA, RA, VA and MIA")]
    confirmed_gap: Annotated[float, Column("fraction", "gap on the reporting seeds: UA, RA, TA and MIA")]
    confirmed_low: Annotated[
        float | None, Column("fraction", f"lower end of its 95 % interval; null below {FEWEST} seeds")
    ]
    confirmed_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    alike: Annotated[str, Column("", "measures that both have: 'UA, RA, VA', and MIA where its non-members are alike")]
    tuning_alike: Annotated[
        float | None,
        Column("fraction", "gap over these on the tuning seeds; null where one run averaged its measures over several"),
    ]
    confirmed_alike: Annotated[
        float | None, Column("fraction", "gap over these on the reporting seeds; null in results of an early version")
    ]
    optimism: Annotated[
        float,
        Column("fraction", "reporting minus tuning gap: over the measures that both have, else as the gaps are"),
    ]
    optimism_low: Annotated[
        float | None,
        Column(
            "fraction",
            f"lower end of its 95 % interval over reporting seeds, the tuning gap fixed; null below {FEWEST} seeds",
        ),
    ]
    optimism_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]


@dataclass(frozen=True, kw_only=True)
class OptimismRow(_Optimism, ScenarioOf):
    """The gap of one chosen setting where it was chosen, and where it was not."""


_ALIKE: Final = "(abs(ua - oracle_ua) + abs(ra - oracle_ra) + abs(va - oracle_va)"
"""SQL: what the runs of a search and of reporting have in common; to be divided by the number of measures."""

_SPREAD_ALIKE: Final = spread("alike", "if(with_mia, 4, 3) * forget_images")

OPTIMISM: Final = View(
    "How much better each chosen setting looked on the tuning seeds than on the reporting seeds, like with like.",
    OptimismRow,
    f"""
with reported as (
    select study, method_search, trial_id, bool_and(mia_nonmembers = 'val') as with_mia
    from confirmed where not untuned and method_search is not null group by all
),
runs as (
    select study, method_search, trial_id, gap, with_mia, forget_images,
        if(with_mia, {_ALIKE} + abs(mia - oracle_mia)) / 4, {_ALIKE}) / 3) as alike
    from confirmed join reported using (study, method_search, trial_id) where not untuned
),
confirmed_rows as (
    select study, method_search, trial_id, any_value(with_mia) as with_mia, count(*) as seeds,
        avg(gap) as confirmed_gap, {half_width("gap", spread_of_gaps("gap", "forget_images"))} as reach,
        if(count(alike) = count(*), avg(alike), null) as confirmed_alike,
        if(count(alike) = count(*), {half_width("alike", _SPREAD_ALIKE)}, null) as alike_reach
    from runs group by all
),
numbers as (
    select study, method_search, trial_id, number, with_mia, tuning_seeds
    from trials join confirmed_rows using (study, method_search, trial_id)
        join (select study, method_search, trial_id, tuning_seeds from chosen) using (study, method_search, trial_id)
),
tuned as (
    select study, method_search, numbers.trial_id, if(max(len(training_seeds)) = 1, avg(
            if(with_mia, {_ALIKE} + abs(mia - oracle_mia)) / 4, {_ALIKE}) / 3)
        ), null) as tuning_alike
    from trials join numbers using (study, method_search, number)
    where status = 'done' and copied_from is null and list_has_all(tuning_seeds, training_seeds) group by all
),
joined as (
    select chosen.*, seeds, with_mia, reach, tuning_alike, confirmed_alike, alike_reach,
        confirmed_alike is not null and tuning_alike is not null as comparable
    from chosen join confirmed_rows using (study, method_search, trial_id)
        left join tuned using (study, method_search, trial_id)
    where chosen.confirmed_gap is not null
),
measured as (
    select *, if(comparable, confirmed_alike - tuning_alike, confirmed_gap - tuning_gap) as optimism,
        if(comparable, alike_reach, reach) as optimism_reach
    from joined
)
select {SCENARIO}, method_search, method, row, trial_id, tuning_seeds, seeds, tuning_gap, confirmed_gap,
    {clipped("confirmed_gap - reach", 0, 1)} as confirmed_low,
    {clipped("confirmed_gap + reach", 0, 1)} as confirmed_high,
    if(with_mia, 'UA, RA, VA, MIA', 'UA, RA, VA') as alike, tuning_alike, confirmed_alike,
    optimism, optimism - optimism_reach as optimism_low, optimism + optimism_reach as optimism_high
from measured
order by study, dataset, augmentation, forget, scenario, row, method_search
""",
)
