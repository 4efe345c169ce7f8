"""The setting that each search chose: the finished trial of the smallest gap, the earlier of two equal ones."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import QUESTION, QuestionOf, View


@dataclass(frozen=True, kw_only=True)
class _Choice:
    cell: Annotated[str, Column("", "fingerprint of the cell: question, method and search")]
    method: Annotated[str, Column("", "unlearning method")]
    trial_id: Annotated[str, Column("", "trial of the chosen setting")]
    setting: Annotated[str, Column("", "the chosen setting, as JSON")]
    lr: Annotated[float | None, Column("", "its learning rate")]
    density: Annotated[float | None, Column("fraction", "its share of trainable weights")]
    threshold: Annotated[float | None, Column("", "saliency score gamma that gives this density")]
    gap: Annotated[float, Column("fraction", "its gap on the tuning seeds: UA, RA, VA and MIA against the oracle")]
    original_gap: Annotated[float | None, Column("fraction", "the gap of doing nothing on the same seeds")]
    ua: Annotated[float, Column("fraction", "its unlearning accuracy")]
    ra: Annotated[float, Column("fraction", "its accuracy on the retain set")]
    va: Annotated[float, Column("fraction", "its accuracy on the validation split")]
    mia: Annotated[float, Column("fraction", "its MIA-efficacy")]
    tuning_trials: Annotated[int, Column("trials", "trials of the search")]
    tuning_seconds: Annotated[float, Column("s", "time of the search, its trials' seconds added")]


@dataclass(frozen=True, kw_only=True)
class BestRow(_Choice, QuestionOf):
    """The chosen setting of one cell."""


BEST: Final = View(
    "The setting that each search chose, with its gap on the tuning seeds and what finding it cost.",
    BestRow,
    f"""
select {QUESTION}, cell, method, trial_id, setting, lr, density, threshold, gap, original_gap, ua, ra, va, mia,
    tuning_trials, tuning_seconds
from (
    select *,
        row_number() over (partition by study, cell order by status <> 'done' or gap is null, gap, number) as place,
        count(*) over (partition by study, cell) as tuning_trials,
        sum(seconds_total) over (partition by study, cell) as tuning_seconds
    from trials
)
where place = 1 and status = 'done' and gap is not null
order by {QUESTION}, method
""",
)
