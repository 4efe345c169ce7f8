"""The front of each search: its settings that no other dominates in what the search minimises.

One setting dominates another if it is no worse in any objective and better in one. Settings are compared by their means
over the tuning seeds that they ran on, and only those that ran on most seeds are. A search of one objective has a front
of one setting, or of several that are equal.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._asked import CURRENT_SEARCHES
from lethe.results.views._base import LABELS_OF_SCENARIO, SCENARIO, ScenarioOf, View


@dataclass(frozen=True, kw_only=True)
class _OnFront:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    current: Annotated[bool, Column("", "whether the specification that was run last asks for this search")]
    method: Annotated[str, Column("", "unlearning method")]
    number: Annotated[int, Column("", "number of the setting in its search, from 0")]
    trial_id: Annotated[str, Column("", "its trial, the first one if it ran on several seeds one by one")]
    setting: Annotated[str, Column("", "the setting, as JSON")]
    chosen: Annotated[bool, Column("", "whether the specification that was run last chose it")]
    objectives: Annotated[list[str], Column("", "what the search minimises")]
    gap: Annotated[float, Column("fraction", "mean gap on the tuning seeds")]
    ua_gap: Annotated[
        float | None, Column("fraction", "mean difference of UA to the oracle; null in results of an early version")
    ]
    va_drop: Annotated[float | None, Column("fraction", "how far VA is below the oracle's; null likewise")]
    compute_share: Annotated[
        float | None, Column("fraction", "images trained on, as a share of retraining's; null likewise")
    ]
    seeds: Annotated[int, Column("", "tuning seeds that it ran on")]


@dataclass(frozen=True, kw_only=True)
class FrontRow(_OnFront, ScenarioOf):
    """A setting of a search that no other dominates."""


_COLUMNS: Final = {"gap": "gap", "ua_gap": "ua_gap", "va_drop": "va_drop", "compute": "compute_share"}
"""The column of each objective."""


def _mean(column: str) -> str:
    """Write the SQL of a column's mean over the seeds of a setting's trials; that of one trial to the digit."""
    return f"if(count(*) = 1, any_value({column}), sum({column} * len(training_seeds)) / sum(len(training_seeds)))"


_HELD: Final = ", ".join(
    f"if(list_contains(objectives, '{name}'), {column}, 0.0) as held_{name}" for name, column in _COLUMNS.items()
)
_NO_WORSE: Final = " and ".join(f"other.held_{name} <= one.held_{name}" for name in _COLUMNS)
_BETTER: Final = " or ".join(f"other.held_{name} < one.held_{name}" for name in _COLUMNS)

FRONT: Final = View(
    "The settings of each search that no other dominates in its objectives, such as gap and compute.",
    FrontRow,
    f"""
with current_method_searches as ({CURRENT_SEARCHES}),
chosen_trials as (
    select distinct study, method_search, trial_id from asked where method_search is not null and trial_id is not null
),
dated as (
    select trials.* replace ({LABELS_OF_SCENARIO}, coalesce(objectives, ['gap']) as objectives),
        current_method_searches.method_search is not null as current
    from trials left join current_method_searches using (study, method_search)
    where (budget is null or number < budget) and copied_from is null
),
tried as (
    select {SCENARIO}, method_search, number, any_value(current) as current, any_value(method) as method,
        min(trial_id) as trial_id, any_value(setting) as setting, any_value(objectives) as objectives,
        {", ".join(f"{_mean(column)} as {column}" for column in _COLUMNS.values())},
        sum(len(training_seeds))::bigint as seeds
    from dated
    group by {SCENARIO}, method_search, number
    having bool_and(status = 'done' and gap is not null)
),
held as (
    select *, {_HELD} from tried
    qualify seeds = max(seeds) over (partition by study, method_search)
)
select {SCENARIO}, method_search, current, method, number, trial_id, setting,
    chosen_trials.trial_id is not null as chosen, objectives, gap, ua_gap, va_drop, compute_share, seeds
from held one left join chosen_trials using (study, method_search, trial_id)
where not exists (
    from held other
    where other.study = one.study and other.method_search = one.method_search and {_NO_WORSE} and ({_BETTER})
)
order by {SCENARIO}, method, method_search, gap, number
""",
)
