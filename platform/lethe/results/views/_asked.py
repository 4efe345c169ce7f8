"""What the specifications that count ask for: the one that was named, else of each study the one that was run last."""

from dataclasses import dataclass
from typing import Final

from lethe.results.rows import BoardRow
from lethe.results.views._base import View


@dataclass(frozen=True, kw_only=True)
class AskedRow(BoardRow):
    """A model that a table is made of, or that it waits for."""


CURRENT_SEARCHES: Final = """
select study, method_search, max(planned_trials) as budget, max(planned_seconds) as planned_seconds,
    max(trial_id) as chosen_trial, any_value(tuning_seeds) as tuning_seeds, arg_min(row, length(row)) as row
from asked where method_search is not null group by study, method_search
"""
"""SQL: the searches of these specifications: how many settings each chooses from, what it chose, its tuning seeds, and
for which row: its method, or a control that is searched itself; controls at the method's setting share its search."""

ASKED: Final = View(
    "The models that the tables of each study's specification that was run last are made of, or wait for.",
    AskedRow,
    """
select * from boards where getvariable('specification') in ('', specification_id)
qualify specification_id = arg_max(specification_id, (run_at, specification_id)) over (partition by study)
""",
    kept=True,
)
