"""The setting that each search chose, with its gap on the tuning seeds and the confirmed one.

Chosen is, of the settings that ran on most tuning seeds, that of the smallest mean gap, or as `search.choose` says.
That is not the best setting: what was chosen for its gap on some seeds is partly the luckiest there.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View
from lethe.results.views._tried_settings import IN_SEARCH


@dataclass(frozen=True, kw_only=True)
class _Choice:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    current: Annotated[bool, Column("", "whether the specification that was run last asks for this search")]
    method: Annotated[str, Column("", "unlearning method")]
    row: Annotated[str, Column("", "row of the comparison: the method, or its control where that was searched itself")]
    trial_id: Annotated[str, Column("", "trial of the chosen setting on the first tuning seeds")]
    setting: Annotated[str, Column("", "the chosen setting, as JSON")]
    lr: Annotated[float | None, Column("", "its learning rate")]
    density: Annotated[float | None, Column("fraction", "its share of trainable weights")]
    threshold: Annotated[float | None, Column("", "saliency score gamma that gives this density")]
    tuning_gap: Annotated[
        float, Column("fraction", "its mean gap on its tuning seeds: UA, RA, VA and MIA against the oracle")
    ]
    tuning_gap_sd: Annotated[float | None, Column("fraction", "its standard deviation over them; null for one seed")]
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
    settings: Annotated[int, Column("", "different settings that it was chosen from")]
    rivals: Annotated[int, Column("", "settings that ran to the end on as many seeds, this one among them")]
    tuning_trials: Annotated[int, Column("trials", "trials of the search that have ended")]
    tuning_raced: Annotated[int, Column("trials", "those of them that ran a setting again, on a further tuning seed")]
    planned_trials: Annotated[
        int | None,
        Column("trials", "settings that the specification asks to try; null where none does so"),
    ]
    planned_seconds: Annotated[
        float | None, Column("s", "seconds of trials that it allows the search; null where only trials are counted")
    ]
    tuning_seconds: Annotated[float, Column("s", "time of the search, its trials' seconds added")]


@dataclass(frozen=True, kw_only=True)
class ChosenRow(_Choice, ScenarioOf):
    """The chosen setting of one method search."""


CHOSEN: Final = View(
    "The setting that each search chose: its gap on the tuning seeds, the confirmed one, and what finding it cost.",
    ChosenRow,
    f"""
with confirmed_rows as (
    select study, method_search, row, trial_id, count(gap) as seeds,
        case when count(gap) = max(seeds_wanted) then avg(gap) end as gap
    from confirmed where not untuned and method_search is not null group by all
),
spent as (
    select study, method_search, count(*) as tuning_trials, count(*) filter (round > 0) as tuning_raced,
        max(budget) as planned_trials, max(planned_seconds) as planned_seconds, sum(seconds_total) as tuning_seconds
    from ({IN_SEARCH}) group by study, method_search
),
weighed as (
    select *, count(*) over (partition by study, method_search) as settings,
        count(*) filter (status = 'done') over (partition by study, method_search, len(seeds)) as rivals
    from tried_settings
)
select {SCENARIO}, method_search, current, method, row, trial_id, setting, lr, density, threshold,
    weighed.gap as tuning_gap, gap_sd as tuning_gap_sd, original_gap as tuning_original_gap,
    confirmed_rows.gap as confirmed_gap, coalesce(confirmed_rows.seeds, 0) as confirmed_seeds,
    ua, ra, va, mia, weighed.seeds as tuning_seeds, settings, rivals, tuning_trials, tuning_raced, planned_trials,
    planned_seconds, tuning_seconds
from weighed join spent using (study, method_search)
    left join confirmed_rows using (study, method_search, row, trial_id)
where is_chosen
order by {SCENARIO}, method, row, current, method_search
""",
    kept=True,
)
