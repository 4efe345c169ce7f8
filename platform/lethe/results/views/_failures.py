"""What went wrong: trials and confirmations that diverged or failed, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View


@dataclass(frozen=True, kw_only=True)
class _Failure:
    kind: Annotated[str, Column("", "'trial' or 'confirmation'")]
    id: Annotated[str, Column("", "its name; `lethe show` prints all of it")]
    method: Annotated[str, Column("", "unlearning method")]
    setting: Annotated[str, Column("", "its setting, as JSON")]
    status: Annotated[str, Column("", "'diverged' (loss not finite) or 'failed'")]
    cause: Annotated[str | None, Column("", "why it failed: 'code', 'memory', 'worker', 'node' or 'hung'")]
    error: Annotated[str | None, Column("", "the message")]
    losses: Annotated[int | None, Column("", "workers that it lost before it ended; null for a confirmation")]
    ended_at: Annotated[datetime, Column("", "end, UTC")]


@dataclass(frozen=True, kw_only=True)
class FailureRow(_Failure, ScenarioOf):
    """One trial or confirmation without a measure."""


FAILURES: Final = View(
    "Trials and confirmations that diverged or failed, and why.",
    FailureRow,
    f"""
select {SCENARIO}, 'trial' as kind, trial_id as id, method, setting, status, cause, error, losses, ended_at
from trials where status in ('diverged', 'failed')
union all
select {SCENARIO}, 'confirmation', confirmation_id, method, setting, status, null, error, null, ended_at
from confirmations where status in ('diverged', 'failed')
order by ended_at, id
""",
)
