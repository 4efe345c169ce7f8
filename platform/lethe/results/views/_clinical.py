"""What a clinic sees of every row: the statistics of the clinical audit, over the reporting seeds and over images.

A value varies with the training seed and with the images that happened to be tested. By the law of total variance both
variances add: that of a mean over seeds, and that over images given the seeds. Each keeps its own quantile, Student's t
for the few seeds: the ends of the two intervals are as far from the mean as the root of the sum of their squares (the
method of variance estimates recovery, Zou and Donner, Statistics in Medicine 2008). All seeds share the test images, so
that what images add does not fall with the number of seeds; it is taken for the mean over the seeds, the most that it
can be.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import FEWEST, ScenarioOf, View, scenario_of

CLINICAL_PREFIX: Final = "clinical_"
"""What the measures of the audit begin with."""


@dataclass(frozen=True, kw_only=True)
class _Clinical:
    row: Annotated[str, Column("", "row of the comparison")]
    statistic: Annotated[str, Column("", "statistic of the audit `clinical`, see docs/methods.md")]
    version: Annotated[int | None, Column("", "version of the audit")]
    class_index: Annotated[int | None, Column("", "the class, from 0; null for all classes together")]
    seeds: Annotated[int, Column("", "reporting seeds that have a value")]
    mean: Annotated[float | None, Column("", "mean over these seeds, in the statistic's unit; null without a value")]
    low: Annotated[
        float | None,
        Column("", f"lower end of its 95 % interval over seeds; null below {FEWEST} seeds, and where all are alike"),
    ]
    high: Annotated[float | None, Column("", "upper end of the same interval")]
    image_low: Annotated[
        float | None,
        Column(
            "",
            "lower end of the 95 % interval over test images, or over patients where the data names them, mean over "
            "seeds; null where a seed has none",
        ),
    ]
    image_high: Annotated[float | None, Column("", "upper end of the same interval, mean over seeds")]
    total_low: Annotated[
        float | None,
        Column("", "lower end of the mean's 95 % interval over seeds and test images; null without either"),
    ]
    total_high: Annotated[float | None, Column("", "upper end of the same interval")]
    oracle_mean: Annotated[
        float | None, Column("", "mean of the paired oracles over the seeds that both have; null without any")
    ]
    difference: Annotated[
        float | None, Column("", "the value minus the paired oracle's, mean over seeds; null for the oracle's own row")
    ]
    difference_low: Annotated[
        float | None,
        Column(
            "",
            f"lower end of the difference's 95 % interval over seeds; null below {FEWEST} seeds, and where all are "
            "alike",
        ),
    ]
    difference_high: Annotated[float | None, Column("", "upper end of the same interval")]


@dataclass(frozen=True, kw_only=True)
class ClinicalRow(_Clinical, ScenarioOf):
    """One statistic of one row, over the reporting seeds."""


CLINICAL: Final = View(
    "What a clinic sees: each statistic of the clinical audit of every row, over seeds and images.",
    ClinicalRow,
    f"""
with of_images as (
    select c.study, c.scenario, c.row, m.metric, m.version, m.class_index,
        count(m.low) = count(m.value) as complete,
        if(complete, avg(m.low), null) as image_low, if(complete, avg(m.high), null) as image_high,
        if(complete, avg(m.value - m.low), null) as below, if(complete, avg(m.high - m.value), null) as above
    from compared c join recorded_measures m on m.study = c.study and m.unit_id = c.confirmation_id
    where m.unit_kind = 'confirmation' and c.role <> 'tuning' and starts_with(m.metric, '{CLINICAL_PREFIX}')
    group by all
)
select {scenario_of("s")}, s.row,
    substr(s.metric, {len(CLINICAL_PREFIX) + 1}) as statistic, s.version, s.class_index, s.seeds, s.mean, s.low, s.high,
    i.image_low, i.image_high,
    s.mean - sqrt((s.mean - s.low) ** 2 + i.below ** 2) as total_low,
    s.mean + sqrt((s.high - s.mean) ** 2 + i.above ** 2) as total_high,
    s.oracle_mean, s.difference, s.difference_low, s.difference_high
from metric_summary s left join of_images i
    on i.study = s.study and i.scenario = s.scenario and i.row = s.row and i.metric = s.metric
    and i.version is not distinct from s.version and i.class_index is not distinct from s.class_index
where starts_with(s.metric, '{CLINICAL_PREFIX}')
order by s.study, s.dataset, s.augmentation, s.forget, s.scenario, s.row <> 'original', s.row <> 'oracle', s.row,
    statistic, s.version, s.class_index nulls first
""",
)
