"""The signed differences to the oracle, measure by measure: what the gap, an absolute value, cannot say.

A gap holds the noise of seeds too: with noise e it estimates E|d + e|, which is above |d|. These means have no such
bias: they estimate d itself, and their sign says whether a measure is met from above or from below.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import (
    FEWEST,
    IMAGES_OF_MEASURES,
    SCENARIO,
    ScenarioOf,
    View,
    clipped,
    half_width,
    spread,
)


@dataclass(frozen=True, kw_only=True)
class _Deviation:
    row: Annotated[str, Column("", "row of the comparison")]
    metric: Annotated[str, Column("", "'ua', 'ra', 'ta' or 'mia'")]
    seeds: Annotated[int, Column("", "reporting seeds")]
    difference: Annotated[float, Column("fraction", "the row's measure minus the paired oracle's, mean over seeds")]
    low: Annotated[float | None, Column("fraction", f"lower end of its 95 % interval; null below {FEWEST} seeds")]
    high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    gap_part: Annotated[
        float,
        Column("fraction", "what this measure adds to the gap: a quarter of the mean |difference|; four make the gap"),
    ]


@dataclass(frozen=True, kw_only=True)
class DeviationRow(_Deviation, ScenarioOf):
    """How far one measure of one row lies from the oracle's, and on which side."""


DEVIATIONS: Final = View(
    "The signed difference of each measure to the paired oracle's: free of the bias that a gap has from noise.",
    DeviationRow,
    f"""
with differences as (
    select {SCENARIO}, row, confirmation_id, forget_images,
        ua - oracle_ua as ua, ra - oracle_ra as ra, ta - oracle_ta as ta, mia - oracle_mia as mia
    from confirmed where row <> 'oracle'
),
counted as ({IMAGES_OF_MEASURES}),
long as (
    select long.*, coalesce(images, forget_images) as images
    from (unpivot differences on ua, ra, ta, mia into name metric value value) long
        left join counted using (study, confirmation_id, metric)
)
select {SCENARIO}, row, metric, seeds, difference,
    {clipped("difference - reach", -1, 1)} as low,
    {clipped("difference + reach", -1, 1)} as high,
    gap_part
from (
    select {SCENARIO}, row, metric, count(*) as seeds, avg(value) as difference,
        {half_width("value", spread("value", "images"))} as reach,
        avg(abs(value)) / 4 as gap_part
    from long group by {SCENARIO}, row, metric
)
order by study, dataset, augmentation, forget, scenario, row <> 'original', row,
    list_position(['ua', 'ra', 'ta', 'mia'], metric)
""",
)
