"""The front of each search: its settings that no other dominates in what the search minimises.

One setting dominates another if it is no worse in any objective and better in one. Settings are compared by their means
over the tuning seeds that they ran on, and only those that ran on most seeds are. A search of one objective has a front
of one setting, or of several that are equal.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.metric_columns import OBJECTIVE_COLUMNS
from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View


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


_HELD: Final = ", ".join(
    f"if(list_contains(objectives, '{name}'), {column}, 0.0) as held_{name}"
    for name, column in OBJECTIVE_COLUMNS.items()
)
_NO_WORSE: Final = " and ".join(f"other.held_{name} <= one.held_{name}" for name in OBJECTIVE_COLUMNS)
_BETTER: Final = " or ".join(f"other.held_{name} < one.held_{name}" for name in OBJECTIVE_COLUMNS)

FRONT: Final = View(
    "The settings of each search that no other dominates in its objectives, such as gap and compute.",
    FrontRow,
    f"""
with chosen_trials as (
    select distinct study, method_search, trial_id from asked where method_search is not null and trial_id is not null
),
held as (
    select *, {_HELD} from tried_settings where status = 'done'
    qualify len(seeds) = max(len(seeds)) over (partition by study, method_search)
)
select {SCENARIO}, method_search, current, method, number, trial_id, setting,
    chosen_trials.trial_id is not null as chosen, objectives, gap, ua_gap, va_drop, compute_share, len(seeds) as seeds
from held one left join chosen_trials using (study, method_search, trial_id)
where not exists (
    from held other
    where other.study = one.study and other.method_search = one.method_search and {_NO_WORSE} and ({_BETTER})
)
order by {SCENARIO}, method, method_search, gap, number
""",
)
