"""What to know of each search before trusting its best: how much it tried, who proposed, where it ended."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._asked import CURRENT_SEARCHES
from lethe.results.views._base import LABELS_OF_SCENARIO, SCENARIO, ScenarioOf, View

NEAR_END: Final = 0.02
"""A value within this share of its range from an end lies at that end; on a logarithmic range, of its logarithm."""


@dataclass(frozen=True, kw_only=True)
class _Quality:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    method: Annotated[str, Column("", "unlearning method")]
    row: Annotated[str, Column("", "row of the comparison: the method, or its control where that was searched itself")]
    by_prior: Annotated[
        int | None,
        Column("trials", "trials at settings that other searches chose; null in results of an early version"),
    ]
    trials: Annotated[int, Column("trials", "ended trials of the search, among those that its choice is from")]
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
    gap: Annotated[float | None, Column("fraction", "smallest gap on the tuning seeds; null where no trial finished")]
    original_gap: Annotated[float | None, Column("fraction", "the gap of doing nothing on the same seeds")]
    best_trial: Annotated[str | None, Column("", "trial of the smallest gap")]
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
with current_method_searches as ({CURRENT_SEARCHES}),
dated as (
    select trials.* replace ({LABELS_OF_SCENARIO}), coalesce(row, method) as row from trials
        left join current_method_searches using (study, method_search)
    where budget is null or number < budget
),
counted as (
    select {SCENARIO}, method_search,
        any_value(method) as method,
        any_value(row) as row,
        count(*) as trials,
        count(distinct setting) as settings,
        count(*) filter (status = 'stopped') as stopped,
        count(*) filter (status = 'diverged') as diverged,
        count(*) filter (status = 'failed') as failed,
        if(count(proposed_by) > 0, count(*) filter (proposed_by = 'model'), null) as by_model,
        if(count(proposed_by) > 0, count(*) filter (proposed_by = 'startup'), null) as by_startup,
        if(count(proposed_by) > 0, count(*) filter (proposed_by = 'prior'), null) as by_prior,
        max(original_gap) as original_gap,
        max(search_space) as search_space
    from dated group by {SCENARIO}, method_search
),
best as (
    select study, method_search, gap, trial_id as best_trial, setting from dated
    where status = 'done' and gap is not null
    qualify row_number() over (partition by study, method_search order by gap, number) = 1
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
select {SCENARIO}, method_search, method, row, by_prior, trials, settings, stopped, diverged, failed,
    by_model, by_startup, gap, original_gap, best_trial, setting, search_space,
    coalesce(low_end, []) as at_low_end,
    coalesce(high_end, []) as at_high_end
from counted left join best using (study, method_search) left join ends using (study, method_search)
order by {SCENARIO}, method, method_search
""",
)
