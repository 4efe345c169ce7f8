"""Every metric of every row of a board: its mean over the reporting seeds, and how far that is from the oracles'.

A mean over the forget set, such as an error or an area, is linear in the share of it that a model was trained on, as
far as images do not help each other; what is measured of other images, or only shown by an audit, is not. So the way
back from the oracles to the originals is read as a dose: the share of the forget set that would explain the value.
Values that are all alike have the smallest spread that steps of 1 / n allow, where they are means over n images: those
of metrics, and of statistics of audits that are tested by their means or differences. The steps of others are not
known; where these are all alike, they have no interval, and no dose is read off them.

A metric needs no column of its own to be here. Values of two versions of a metric are never averaged.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import FEWEST, SCENARIO, ScenarioOf, View, half_width, scenario_of, spread

_UNKNOWN: Final = (
    f"below {FEWEST} seeds, and where all are alike that are no means over a known number of images, as of a metric or "
    "a statistic of an audit that is tested by its mean or difference"
)
"""Where an interval is null."""


@dataclass(frozen=True, kw_only=True)
class _Summary:
    row: Annotated[str, Column("", "row of the comparison")]
    metric: Annotated[str, Column("", "name of the metric")]
    version: Annotated[int | None, Column("", "version of the metric; null in results of an early version")]
    split: Annotated[str | None, Column("", "images it is measured on; null where there are none")]
    class_index: Annotated[int | None, Column("", "the class, from 0; null for all classes together")]
    seeds: Annotated[int, Column("", "reporting seeds that have a value")]
    mean: Annotated[float | None, Column("", "mean over these seeds, in the metric's unit; null without a value")]
    low: Annotated[float | None, Column("", f"lower end of its 95 % interval; null {_UNKNOWN}")]
    high: Annotated[float | None, Column("", "upper end of the same interval")]
    oracle_mean: Annotated[
        float | None, Column("", "mean of the paired oracles over the seeds that both have; null without any")
    ]
    difference: Annotated[
        float | None, Column("", "the value minus the paired oracle's, mean over seeds; null for the oracle's own row")
    ]
    difference_low: Annotated[float | None, Column("", f"lower end of the difference's 95 % interval; null {_UNKNOWN}")]
    difference_high: Annotated[float | None, Column("", "upper end of the same interval")]
    dose: Annotated[
        float | None,
        Column(
            "",
            "share of the forget set that would explain the value if it were still in: 0 as the oracles, 1 as the "
            "originals, linear between; null for these two, where the originals' difference is not clear of 0, and "
            "for what is no mean over the forget set",
        ),
    ]
    dose_low: Annotated[float | None, Column("", f"lower end of its 95 % interval over the seeds; null {_UNKNOWN}")]
    dose_high: Annotated[float | None, Column("", "upper end of the same interval")]


@dataclass(frozen=True, kw_only=True)
class MetricSummaryRow(_Summary, ScenarioOf):
    """One metric of one row, over the reporting seeds."""


METRIC_SUMMARY: Final = View(
    "Every metric of every row: mean over the reporting seeds with its interval, and the difference to the oracles.",
    MetricSummaryRow,
    f"""
with measured as (
    select {scenario_of("c")}, c.row, c.training_seed,
        m.metric, m.version, m.split, m.class_index, m.value,
        if(m.audit is null or m.test in ('mean', 'difference'), m.n, null) as n,
        coalesce(m.test = 'mean', m.audit is null and m.split is not distinct from 'forget') as is_mean
    from compared c join measures m on m.study = c.study and m.unit_id = c.confirmation_id
    where m.unit_kind = 'confirmation' and c.role <> 'tuning'
),
paired as (
    select m.*, o.value as of_oracle, m.value - o.value as gained
    from measured m left join (from measured where row = 'oracle') o
        on o.study = m.study and o.scenario = m.scenario and o.training_seed = m.training_seed and m.row <> 'oracle'
        and o.metric = m.metric and o.version is not distinct from m.version
        and o.split is not distinct from m.split and o.class_index is not distinct from m.class_index
),
summed as (
    select {SCENARIO}, row, metric, version, split, class_index, bool_and(is_mean) as is_mean,
        count(value) as seeds, avg(value) as mean, {half_width("value", spread("value", "n"))} as reach,
        avg(of_oracle) filter (gained is not null) as oracle_mean,
        avg(gained) as difference, {half_width("gained", spread("gained", "n"))} as difference_reach,
        abs(difference) > difference_reach as is_clear
    from paired group by all
),
anchored as (
    select *,
        any_value(difference) filter (row = 'original') over of_metric as of_originals,
        is_mean and row not in ('original', 'oracle')
            and any_value(is_clear) filter (row = 'original') over of_metric as clear
    from summed
    window of_metric as (partition by study, scenario, metric, version, split, class_index)
),
dosed as (
    select *, case when clear then difference / of_originals end as dose,
        case when clear then abs(difference_reach / of_originals) end as dose_reach
    from anchored
)
select {SCENARIO}, row, metric, version, split, class_index, seeds, mean, mean - reach as low, mean + reach as high,
    oracle_mean, difference, difference - difference_reach as difference_low,
    difference + difference_reach as difference_high,
    dose, dose - dose_reach as dose_low, dose + dose_reach as dose_high
from dosed
order by study, dataset, augmentation, forget, scenario, row <> 'original', row <> 'oracle', row,
    metric, version, split, class_index nulls first
""",
)
