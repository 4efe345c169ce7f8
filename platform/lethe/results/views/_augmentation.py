"""What an augmentation changes, on every measure of every row, paired by training seed.

Two augmentations are compared where everything else that makes a scenario is the same, by its hash, such as the images
and labels, the forget set and its control half, network, recipe and the study's seed. Names do not count: two files may
have the same name. Boards of an early version lack that hash: images and labels, forget set and recipe stand for it,
and where these leave it open which scenarios belong together, none is compared.

With few images the differences may be all alike by chance; their spread is then the smallest that steps of the images
allow, as for audits.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import (
    FEWEST,
    IMAGES_OF_MEASURES,
    LEVEL,
    PRECISION,
    WHOLE,
    View,
    clipped,
    half_width,
    spread,
    with_p_holm,
)


@dataclass(frozen=True, kw_only=True)
class AugmentationRow:
    """The effect of one augmentation on one measure of one row."""

    study: Annotated[str, Column("", "name of the study")]
    dataset: Annotated[str, Column("", "name of the data set")]
    network: Annotated[str, Column("", "network")]
    precision: Annotated[str | None, PRECISION]
    forget: Annotated[str, Column("", "forget request, as reports call it")]
    data_hash: Annotated[str, Column("", "hash of the images and labels")]
    forget_hash: Annotated[
        str,
        Column(
            "",
            "hash of the indices of the forget set; one of the candidates where each training seed has a lot",
        ),
    ]
    recipe: Annotated[str, Column("", "fingerprint of network, training recipe and the study's seed")]
    scenario: Annotated[str, Column("", "fingerprint of the scenario with the augmentation")]
    row: Annotated[
        str, Column("", "row of the comparison; of 'original' too, whose own gap may shrink with an augmentation")
    ]
    augmentation: Annotated[str, Column("", "augmentation")]
    against: Annotated[
        str, Column("", "the augmentation that it is compared with: 'none', or the first by name without it")
    ]
    metric: Annotated[
        str,
        Column("", "'ua', 'ra', 'ta', 'mia', 'auc', 'gap', or 'gap_closed': the original's gap minus the row's own"),
    ]
    seeds: Annotated[int, Column("", "reporting seeds that both augmentations have")]
    mean: Annotated[float, Column("fraction", "the measure with the augmentation, mean over these seeds")]
    mean_against: Annotated[float, Column("fraction", "the measure with the other augmentation, mean over these seeds")]
    difference: Annotated[float, Column("fraction", "the first minus the second, paired by seed")]
    low: Annotated[
        float | None, Column("fraction", f"lower end of its own 95 % interval; null below {FEWEST} seeds, or oracles")
    ]
    high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    p: Annotated[float | None, Column("", "two-sided p of a paired t-test; null where there is no interval")]
    p_holm: Annotated[
        float | None, Column("", "the same, adjusted for all differences between these two augmentations (Holm)")
    ]
    verdict: Annotated[
        str,
        Column("", f"'higher' or 'lower' (p_holm below {LEVEL}), 'inconclusive', 'too few seeds', or 'no interval'"),
    ]


_SAME: Final = "study, data_hash, forget_hash, recipe, alike"
_SPREAD: Final = spread("a.value - b.value", "a.images")

AUGMENTATION: Final = View(
    "What augmentation changes: each measure of each row with an augmentation and without, paired by seed.",
    AugmentationRow,
    f"""
with every_scenario as (
    select distinct study, scenario, augmentation, data_hash, forget_hash, recipe,
        coalesce(but_augmentation, '') as alike
    from confirmed
),
scenarios as (
    from every_scenario qualify count(*) over (partition by {_SAME}, augmentation) = 1
),
base as (
    select {_SAME}, case when bool_or(augmentation = 'none') then 'none' else min(augmentation) end as against
    from scenarios group by all
),
whole as ({WHOLE}),
measured as (
    select {_SAME}, scenario, dataset, network, precision, forget, augmentation, row, training_seed, confirmation_id,
        forget_images, ua, ra, ta, mia, auc, gap, untouched - gap as gap_closed
    from confirmed left join (
        select study, scenario, training_seed, gap as untouched from confirmed where row = 'original'
    ) using (study, scenario, training_seed)
    join (select study, scenario, alike from scenarios) using (study, scenario)
    semi join whole using (study, scenario, row)
),
counted as ({IMAGES_OF_MEASURES}),
long as (
    select long.*, case when metric in ('gap', 'gap_closed') then 4 * forget_images
        else coalesce(images, forget_images) end as images
    from (unpivot measured on ua, ra, ta, mia, auc, gap, gap_closed into name metric value value) long
        left join counted using (study, confirmation_id, metric)
),
paired as (
    select {_SAME}, any_value(a.dataset) as dataset, any_value(a.network) as network,
        any_value(a.precision) as precision, any_value(a.forget) as forget, any_value(a.scenario) as scenario,
        row, a.augmentation as augmentation, b.augmentation as against, metric,
        count(*) as seeds, avg(a.value) as mean, avg(b.value) as mean_against,
        avg(a.value - b.value) as difference,
        {_SPREAD} as sd,
        not (row = 'oracle' and metric = 'gap') as independent,
        case when independent then {half_width("a.value - b.value", _SPREAD)} end as reach
    from long a
    join base using ({_SAME})
    join long b using ({_SAME}, row, metric, training_seed)
    where a.augmentation <> base.against and b.augmentation = base.against
    group by {_SAME}, row, a.augmentation, b.augmentation, metric
),
tested as (
    select *, case when independent and seeds >= {FEWEST} then t_pvalue(difference, sd, seeds) end as p from paired
    where not (row in ('original', 'oracle') and metric = 'gap_closed')
),
adjusted as ({with_p_holm("tested", f"{_SAME}, augmentation, against", "row, metric")})
select study, dataset, network, precision, forget, data_hash, forget_hash, recipe, scenario, row, augmentation, against,
    metric,
    seeds, mean, mean_against, difference,
    {clipped("difference - reach", -2, 2)} as low,
    {clipped("difference + reach", -2, 2)} as high,
    p, p_holm,
    case when not independent then 'no interval'
        when p is null then 'too few seeds'
        when p_holm >= {LEVEL} then 'inconclusive'
        when difference < 0 then 'lower'
        else 'higher' end as verdict
from adjusted
order by study, dataset, network, precision, forget, data_hash, forget_hash, recipe, augmentation, scenario,
    row <> 'original', row <> 'oracle', row,
    list_position(['gap', 'gap_closed', 'ua', 'ra', 'ta', 'mia', 'auc'], metric)
""",
)
