"""The settings of each search, each with its mean over all tuning seeds that it ran on.

Where the best epoch counts (`keep: best`) it is that of the smallest mean gap over all of a setting's seeds.

A race (`search.racing`) runs a setting once on the first tuning seeds and again on further ones, each run a trial. Here
they are one row, so that settings can be compared and counted.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._asked import CURRENT_SEARCHES
from lethe.results.views._base import LABELS_OF_SCENARIO, SCENARIO, ScenarioOf, View


@dataclass(frozen=True, kw_only=True)
class _Setting:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    current: Annotated[bool, Column("", "whether the specification that was run last asks for this search")]
    method: Annotated[str, Column("", "unlearning method")]
    row: Annotated[str, Column("", "row of the comparison: the method, or its control where that was searched itself")]
    number: Annotated[int, Column("", "number of the setting in its search, from 0")]
    trial_id: Annotated[str, Column("", "its trial on the first tuning seeds")]
    setting: Annotated[str, Column("", "the setting, as JSON")]
    lr: Annotated[float | None, Column("", "its learning rate")]
    density: Annotated[float | None, Column("fraction", "its share of trainable weights")]
    threshold: Annotated[float | None, Column("", "saliency score gamma that gives this density")]
    is_chosen: Annotated[
        bool,
        Column(
            "",
            "whether the search chose it: as the last run recorded, else the one of the smallest mean gap among those "
            "that ran on most seeds",
        ),
    ]
    status: Annotated[str, Column("", "'done' if all its runs are, else how one that is not ended")]
    gap: Annotated[float | None, Column("fraction", "mean gap over its seeds; null unless all its runs are done")]
    gap_sd: Annotated[float | None, Column("fraction", "standard deviation of the gap over its seeds; null for one")]
    gap_per_seed: Annotated[list[float], Column("fraction", "gap on each of its seeds")]
    original_gap: Annotated[float | None, Column("fraction", "the gap of doing nothing on the same seeds")]
    objectives: Annotated[list[str], Column("", "what the search minimises")]
    ua_gap: Annotated[
        float | None, Column("fraction", "mean difference of UA to the oracle; null in results of an early version")
    ]
    va_drop: Annotated[float | None, Column("fraction", "how far VA is below the oracle's; null likewise")]
    compute_share: Annotated[
        float | None, Column("fraction", "images trained on, as a share of retraining's; null likewise")
    ]
    ua: Annotated[float | None, Column("fraction", "its unlearning accuracy, mean over its seeds")]
    ra: Annotated[float | None, Column("fraction", "its accuracy on the retain set")]
    va: Annotated[float | None, Column("fraction", "its accuracy on the validation split")]
    mia: Annotated[float | None, Column("fraction", "its MIA-efficacy")]
    seeds: Annotated[list[int], Column("", "tuning seeds that it ran on, in the order of the race")]
    runs: Annotated[int, Column("trials", "its trials")]
    seconds: Annotated[float, Column("s", "their seconds, added")]


@dataclass(frozen=True, kw_only=True)
class TriedSettingRow(_Setting, ScenarioOf):
    """One setting of a method search."""


IN_SEARCH: Final = f"""
select trials.* replace ({LABELS_OF_SCENARIO}, coalesce(round, 0) as round),
    coalesce(row, method) as row, budget, planned_seconds, chosen_trial,
    current_method_searches.method_search is not null as current
from trials left join ({CURRENT_SEARCHES}) current_method_searches using (study, method_search)
where budget is null
    or (number < budget and (coalesce(round, 0) = 0 or list_has_all(tuning_seeds, training_seeds)))
"""
"""SQL: the trials that count in their search: of settings, and on seeds, that its specification asks for."""


def _mean(measure: str) -> str:
    """Write the SQL of a measure's mean over seeds, to the digit as in the trial where there is one."""
    weighted = f"sum({measure} * len(training_seeds)) / sum(len(training_seeds)) filter ({measure} is not null)"
    return f"if(count(*) = 1, any_value({measure}), {weighted})"


_MEASURES: Final = ("original_gap", "ua_gap", "va_drop", "compute_share", "ua", "ra", "va", "mia")

TRIED_SETTINGS: Final = View(
    "The settings of each search, repeated ones left out: mean gap over all tuning seeds that each ran on.",
    TriedSettingRow,
    f"""
with counted as (from ({IN_SEARCH}) where copied_from is null),
epoch_gaps as (
    select study, method_search, number, (place - 1) // len(training_seeds) + 1 as epoch, gap_per_epoch[place] as gap
    from counted, unnest(range(1, len(gap_per_epoch) + 1)) as places(place)
),
epoch_means as (select study, method_search, number, epoch, avg(gap) as gap from epoch_gaps group by all),
best_epochs as (
    select study, method_search, number, arg_min(epoch, (gap, epoch)) as epoch from epoch_means group by all
),
in_search as (
    select counted.* replace (
        case when epoch is null then gap_per_seed
            else gap_per_epoch[(epoch - 1) * len(training_seeds) + 1 : epoch * len(training_seeds)]
        end as gap_per_seed
    )
    from counted left join best_epochs using (study, method_search, number)
),
tried as (
    select {SCENARIO}, method_search, number,
        any_value(current) as current, any_value(method) as method, any_value(row) as row,
        any_value(chosen_trial) as chosen_trial,
        arg_min(trial_id, round) as trial_id, arg_min(setting, round) as setting, any_value(lr) as lr,
        any_value(density) as density, arg_min(threshold, round) as threshold,
        coalesce(min(status) filter (status <> 'done'), if(count(gap) < count(*), 'no gap', 'done')) as status,
        if(count(*) = 1, any_value(gap), list_avg(flatten(list(gap_per_seed)))) as gap,
        flatten(list(gap_per_seed order by round)) as gap_per_seed,
        coalesce(any_value(objectives), ['gap']) as objectives,
        {", ".join(f"{_mean(name)} as {name}" for name in _MEASURES)},
        flatten(list(training_seeds order by round)) as seeds,
        count(*) as runs,
        sum(seconds_total) as seconds
    from in_search
    group by {SCENARIO}, method_search, number
)
select {SCENARIO}, method_search, current, method, row, number, trial_id, setting, lr, density, threshold,
    status = 'done' and (
        trial_id = chosen_trial
        or (chosen_trial is null and row_number() over (
            partition by study, method_search order by status <> 'done', len(seeds) desc, gap, number
        ) = 1)
    ) as is_chosen,
    status, if(status = 'done', gap, null) as gap,
    if(len(gap_per_seed) > 1, list_stddev_samp(gap_per_seed), null) as gap_sd,
    gap_per_seed, original_gap, objectives, ua_gap, va_drop, compute_share, ua, ra, va, mia, seeds, runs, seconds
from tried
order by {SCENARIO}, method, row, method_search, number
""",
    kept=True,
)
