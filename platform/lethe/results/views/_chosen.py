"""The setting that each search chose, with its gap on the tuning seeds and the confirmed one.

Chosen is the finished trial of the smallest gap on the tuning seeds, the earlier of two equal ones. That is not the
best setting: what was chosen for its gap on some seeds is partly the luckiest there.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._asked import CURRENT_SEARCHES
from lethe.results.views._base import SCENARIO, ScenarioOf, View


@dataclass(frozen=True, kw_only=True)
class _Choice:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    current: Annotated[bool, Column("", "whether the specification that was run last asks for this search")]
    method: Annotated[str, Column("", "unlearning method")]
    row: Annotated[str, Column("", "row of the comparison: the method, or its control where that was searched itself")]
    trial_id: Annotated[str, Column("", "trial of the chosen setting")]
    setting: Annotated[str, Column("", "the chosen setting, as JSON")]
    lr: Annotated[float | None, Column("", "its learning rate")]
    density: Annotated[float | None, Column("fraction", "its share of trainable weights")]
    threshold: Annotated[float | None, Column("", "saliency score gamma that gives this density")]
    tuning_gap: Annotated[
        float, Column("fraction", "its gap on the tuning seeds: UA, RA, VA and MIA against the oracle")
    ]
    tuning_original_gap: Annotated[float | None, Column("fraction", "the gap of doing nothing on the same seeds")]
    confirmed_gap: Annotated[
        float | None,
        Column("fraction", "its gap on the reporting seeds: UA, RA, TA and MIA; null until all are confirmed"),
    ]
    confirmed_seeds: Annotated[int, Column("", "reporting seeds that are confirmed")]
    ua: Annotated[float, Column("fraction", "its unlearning accuracy on the tuning seeds")]
    ra: Annotated[float, Column("fraction", "its accuracy on the retain set there")]
    va: Annotated[float, Column("fraction", "its accuracy on the validation split there")]
    mia: Annotated[float, Column("fraction", "its MIA-efficacy there")]
    tuning_seeds: Annotated[list[int], Column("", "training seeds that the setting was chosen on")]
    tuning_trials: Annotated[int, Column("trials", "trials of the search that have ended")]
    planned_trials: Annotated[
        int | None,
        Column("trials", "trials that the specification asks for; null where none does so"),
    ]
    tuning_seconds: Annotated[float, Column("s", "time of the search, its trials' seconds added")]


@dataclass(frozen=True, kw_only=True)
class ChosenRow(_Choice, ScenarioOf):
    """The chosen setting of one method search."""


CHOSEN: Final = View(
    "The setting that each search chose: its gap on the tuning seeds, the confirmed one, and what finding it cost.",
    ChosenRow,
    f"""
with current_method_searches as (
{CURRENT_SEARCHES}),
confirmed_rows as (
    select study, method_search, row, trial_id, count(gap) as seeds,
        case when count(gap) = max(seeds_wanted) then avg(gap) end as gap
    from confirmed where not untuned and method_search is not null group by all
),
ranked as (
    select trials.*, budget, coalesce(current_method_searches.row, method) as row,
        current_method_searches.method_search is not null as current,
        row_number() over (partition by study, method_search order by status <> 'done' or gap is null, gap, number) as
        place, count(*) over (partition by study, method_search) as tuning_trials,
        sum(seconds_total) over (partition by study, method_search) as tuning_seconds
    from trials left join current_method_searches using (study, method_search)
    where budget is null or number < budget
)
select {SCENARIO}, method_search, current, method, row, trial_id, setting, lr, density, threshold,
    ranked.gap as tuning_gap, original_gap as tuning_original_gap,
    confirmed_rows.gap as confirmed_gap, coalesce(confirmed_rows.seeds, 0) as confirmed_seeds,
    ua, ra, va, mia, training_seeds as tuning_seeds, tuning_trials, budget as planned_trials, tuning_seconds
from ranked left join confirmed_rows using (study, method_search, row, trial_id)
where place = 1 and status = 'done' and ranked.gap is not null
order by {SCENARIO}, method, row
""",
)
