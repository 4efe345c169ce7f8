"""What to know of each search before trusting its best: how much it tried, who proposed, where it ended."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View
from lethe.results.views._tried_settings import IN_SEARCH

NEAR_END: Final = 0.02
"""A value within this share of its range from an end lies at that end; on a logarithmic range, of its logarithm."""


@dataclass(frozen=True, kw_only=True)
class _Quality:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    method: Annotated[str, Column("", "unlearning method")]
    trials: Annotated[
        int, Column("trials", "ended trials on the first tuning seeds, among those that the search's choice is from")
    ]
    settings: Annotated[int, Column("", "different settings among them")]
    stopped: Annotated[int, Column("trials", "trials that were stopped early")]
    diverged: Annotated[int, Column("trials", "trials whose loss was not finite")]
    failed: Annotated[int, Column("trials", "trials that failed")]
    by_model: Annotated[
        int | None,
        Column("trials", "trials proposed by the sampler's model; null in results of an early version"),
    ]
    by_startup: Annotated[
        int | None, Column("trials", "trials drawn before that model had enough to learn from; null likewise")
    ]
    raced: Annotated[int, Column("trials", "further trials: settings that ran again, on the next tuning seed")]
    raced_lost: Annotated[int, Column("trials", "those of them that diverged or failed")]
    gap: Annotated[
        float | None,
        Column("fraction", "mean gap of the chosen setting on its tuning seeds; null where no trial finished"),
    ]
    original_gap: Annotated[float | None, Column("fraction", "the gap of doing nothing on the same seeds")]
    tuning_seeds: Annotated[list[int] | None, Column("", "the tuning seeds that the chosen setting ran on")]
    best_trial: Annotated[str | None, Column("", "trial of the chosen setting")]
    setting: Annotated[str | None, Column("", "its setting, as JSON")]
    search_space: Annotated[
        str | None, Column("", "what was searched, as JSON of Optuna's distributions; null in early results")
    ]
    at_low_end: Annotated[
        list[str],
        Column("", "options whose best value lies within 2 % of the low end of the range (of its logarithm, if log)"),
    ]
    at_high_end: Annotated[list[str], Column("", "options whose best value lies within 2 % of the high end")]


@dataclass(frozen=True, kw_only=True)
class SearchQualityRow(_Quality, ScenarioOf):
    """How good one search was."""


SEARCH_QUALITY: Final = View(
    "How good each search was: distinct settings, failures, who proposed them, ranges whose end holds the best.",
    SearchQualityRow,
    f"""
with in_search as ({IN_SEARCH}),
raced as (
    select study, method_search, count(*) as raced,
        count(*) filter (status in ('diverged', 'failed')) as raced_lost
    from in_search where round > 0 group by study, method_search
),
counted as (
    select {SCENARIO}, method_search,
        any_value(method) as method,
        count(*) as trials,
        count(distinct setting) as settings,
        count(*) filter (status = 'stopped') as stopped,
        count(*) filter (status = 'diverged') as diverged,
        count(*) filter (status = 'failed') as failed,
        if(count(proposed_by) > 0, count(*) filter (proposed_by = 'model'), null) as by_model,
        if(count(proposed_by) > 0, count(*) filter (proposed_by = 'startup'), null) as by_startup,
        max(original_gap) as original_gap,
        max(search_space) as search_space
    from in_search where round = 0 group by {SCENARIO}, method_search
),
best as (
    select study, method_search, gap, tried_settings.original_gap as best_original_gap, seeds as tuning_seeds,
        trial_id as best_trial, setting
    from tried_settings where is_chosen
),
options as (
    select study, method_search, setting, search_space, unnest(json_keys(search_space)) as name
    from counted join best using (study, method_search)
),
ranges as (
    select study, method_search, name,
        try_cast(setting ->> name as double) as value,
        (search_space -> name -> 'attributes' ->> 'low')::double as low,
        (search_space -> name -> 'attributes' ->> 'high')::double as high,
        coalesce((search_space -> name -> 'attributes' ->> 'log')::boolean, false) as log
    from options
),
placed as (
    select study, method_search, name, if(log, ln(value / low) / ln(high / low), (value - low) / (high - low)) as share
    from ranges where low < high and value is not null
),
ends as (
    select study, method_search,
        list(name order by name) filter (share <= {NEAR_END}) as low_end,
        list(name order by name) filter (share >= 1 - {NEAR_END}) as high_end
    from placed group by study, method_search
)
select {SCENARIO}, method_search, method, trials, settings, stopped, diverged, failed, by_model, by_startup,
    coalesce(raced, 0) as raced, coalesce(raced_lost, 0) as raced_lost,
    gap, coalesce(best_original_gap, original_gap) as original_gap, tuning_seeds, best_trial, setting, search_space,
    coalesce(low_end, []) as at_low_end,
    coalesce(high_end, []) as at_high_end
from counted left join raced using (study, method_search) left join best using (study, method_search)
    left join ends using (study, method_search)
order by {SCENARIO}, method, method_search
""",
)
