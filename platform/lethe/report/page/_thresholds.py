"""Where the membership attack behind MIA divides the images of a model by its confidence, from its stored calls.

The attack's function of the confidence need not cross zero once: it may call an interval non-members. A threshold is
returned only where the calls of a model's forget and control images agree with one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lethe.report._board import Key
from lethe.report.page._gather import among
from lethe.results import Results, to_rows


@dataclass(frozen=True, kw_only=True)
class _Thresholds:
    study: str
    scenario: str
    row: str
    at: list[float]
    alike: int
    mixed: int


def thresholds_of(results: Results, drawn: Iterable[Key]) -> Mapping[tuple[str, str, str], dict[str, Any]]:
    """Return the attack's thresholds in each row of these scenarios whose results hold its calls.

    ``at`` has one for each reporting seed whose images are all called non-members below a confidence and members above
    it, in the order of the seeds: midway between the nearest images on both sides. ``alike`` counts the seeds whose
    images are all called the same, ``mixed`` those whose calls agree with no threshold.
    """
    found = to_rows(results.query(_THRESHOLDS.format(drawn=among(drawn))), _Thresholds)
    return {(one.study, one.scenario, one.row): {"at": one.at, "alike": one.alike, "mixed": one.mixed} for one in found}


_THRESHOLDS: Final = """
with models as (
    select p.study, p.scenario, p.row, p.training_seed,
        max(p.confidence) filter (p.called_nonmember) as last_nonmember,
        min(p.confidence) filter (not p.called_nonmember) as first_member
    from predictions p semi join (from confirmed where {drawn}) using (study, scenario, confirmation_id)
    where p.called_nonmember is not null
    group by all
)
select study, scenario, row,
    coalesce(
        list((last_nonmember + first_member) / 2 order by training_seed) filter (last_nonmember <= first_member), []
    ) as at,
    count_if(last_nonmember is null or first_member is null)::integer as alike,
    count_if(last_nonmember > first_member)::integer as mixed
from models group by all
"""
