"""What an augmentation arm changes, on every measure of every row, paired by training seed."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import PRECISION, View, half_width


@dataclass(frozen=True, kw_only=True)
class AugmentationRow:
    """The effect of one arm on one measure of one row."""

    study: Annotated[str, Column("", "name of the study")]
    dataset: Annotated[str, Column("", "name of the data set")]
    network: Annotated[str, Column("", "network")]
    precision: Annotated[str | None, PRECISION]
    forget: Annotated[str, Column("", "forget request, as reports call it")]
    row: Annotated[str, Column("", "row of the comparison; of 'original' too, whose own gap may shrink with an arm")]
    arm: Annotated[str, Column("", "augmentation arm")]
    against: Annotated[str, Column("", "the arm that it is held against: 'none', or the first by name without it")]
    metric: Annotated[
        str,
        Column("", "'ua', 'ra', 'ta', 'mia', 'auc', 'gap', or 'gap_closed': the original's gap less the row's own"),
    ]
    seeds: Annotated[int, Column("", "reporting seeds that both arms have")]
    mean: Annotated[float, Column("fraction", "the measure with the arm, mean over these seeds")]
    mean_against: Annotated[float, Column("fraction", "the measure with the other arm, mean over these seeds")]
    difference: Annotated[float, Column("fraction", "the first less the second, paired by seed")]
    low: Annotated[float | None, Column("fraction", "lower end of its 95 % interval; null for one seed, or oracles")]
    high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    verdict: Annotated[str, Column("", "'higher', 'lower', 'not told apart', or 'no interval'")]


AUGMENTATION: Final = View(
    "What augmentation changes: each measure of each row with an arm and without, paired by seed.",
    AugmentationRow,
    f"""
with base as (
    select study, dataset, network, coalesce(precision, '') as precision, forget, forget_images,
        case when bool_or(arm = 'none') then 'none' else min(arm) end as against
    from confirmed group by all
),
measured as (
    select study, dataset, network, coalesce(precision, '') as precision, forget, forget_images,
        arm, row, training_seed,
        ua, ra, ta, mia, auc, gap, untouched - gap as gap_closed
    from confirmed left join (
        select study, question, training_seed, gap as untouched from confirmed where row = 'original'
    ) using (study, question, training_seed)
),
long as (
    unpivot measured on ua, ra, ta, mia, auc, gap, gap_closed into name metric value value
),
paired as (
    select a.study, a.dataset, a.network, a.precision, a.forget, a.row, a.arm, b.arm as against, a.metric,
        count(*) as seeds, avg(a.value) as mean, avg(b.value) as mean_against,
        avg(a.value - b.value) as difference,
        case when not (a.row = 'oracle' and a.metric = 'gap') then {half_width("a.value - b.value")} end as reach
    from long a
    join base using (study, dataset, network, precision, forget, forget_images)
    join long b using (study, dataset, network, precision, forget, forget_images, row, metric, training_seed)
    where a.arm <> base.against and b.arm = base.against
    group by a.study, a.dataset, a.network, a.precision, a.forget, a.forget_images, a.row, a.arm, b.arm, a.metric
)
select study, dataset, network, nullif(precision, '') as precision, forget, row, arm, against, metric,
    seeds, mean, mean_against, difference,
    difference - reach as low,
    difference + reach as high,
    case when reach is null then 'no interval'
        when difference + reach < 0 then 'lower'
        when difference - reach > 0 then 'higher'
        else 'not told apart' end as verdict
from paired
where not (row in ('original', 'oracle') and metric = 'gap_closed')
order by study, dataset, network, precision, forget, arm, row <> 'original', row <> 'oracle', row,
    list_position(['gap', 'gap_closed', 'ua', 'ra', 'ta', 'mia', 'auc'], metric)
""",
)
