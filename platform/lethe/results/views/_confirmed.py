"""The confirmations that count: of each row of a comparison the newest on each seed, of the longest search's choice.

What no search chose has no choice to keep: the oracle's setting names the other seeds, so each seed has its own.
"""

from dataclasses import dataclass
from typing import Final

from lethe.results.rows import ConfirmationRow
from lethe.results.views._base import PRECISION_OF_QUESTION, View


@dataclass(frozen=True, kw_only=True)
class ConfirmedRow(ConfirmationRow):
    """A confirmation that counts."""


CONFIRMED: Final = View(
    "The confirmations that count: the newest on each seed, and of a searched row the longest search's choice.",
    ConfirmedRow,
    f"""
select * exclude (chosen_setting, chosen_trials) from (
    select * replace ({PRECISION_OF_QUESTION}),
        last_value(setting) over of_row as chosen_setting,
        last_value(tuning_trials) over of_row as chosen_trials
    from confirmations
    window of_row as (
        partition by study, question, row order by coalesce(tuning_trials, 0), ended_at
        rows between unbounded preceding and unbounded following
    )
)
where chosen_trials is null or setting = chosen_setting
qualify row_number() over (
    partition by study, question, row, training_seed order by coalesce(tuning_trials, 0) desc, ended_at desc
) = 1
""",
)
