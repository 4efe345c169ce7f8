"""What each search was allowed: settings, runs and seconds, which a fair table has equal in all of its rows."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View
from lethe.results.views._tried_settings import IN_SEARCH


@dataclass(frozen=True, kw_only=True)
class _Budget:
    method_search: Annotated[str, Column("", "fingerprint of the method search: scenario, method and search")]
    method: Annotated[str, Column("", "unlearning method")]
    row: Annotated[str, Column("", "row of the comparison: the method, or its control where that was searched itself")]
    settings: Annotated[int, Column("", "different settings that were tried")]
    runs: Annotated[int, Column("", "runs of a setting on one training seed; what a repeated setting copied is none")]
    seconds: Annotated[float, Column("s", "their seconds added")]


@dataclass(frozen=True, kw_only=True)
class BudgetRow(_Budget, ScenarioOf):
    """What one search spent."""


BUDGETS: Final = View(
    "What each search spent: different settings, runs of one on a seed, seconds. A fair comparison has them equal.",
    BudgetRow,
    f"""
select {SCENARIO}, method_search, any_value(method) as method, any_value(row) as row,
    count(distinct setting) as settings,
    coalesce(sum(len(training_seeds)) filter (copied_from is null), 0)::bigint as runs,
    sum(seconds_total) as seconds
from ({IN_SEARCH})
group by {SCENARIO}, method_search
order by {SCENARIO}, row, method_search
""",
)
