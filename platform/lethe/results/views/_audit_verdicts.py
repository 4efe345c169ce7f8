"""What audits say of each row, and what each audit is worth on this data: its false alarms, its power, its verdict.

An audit's silence is worth nothing where it is silent about the original too. So each statistic is also held against
the models whose answer is known: the originals, which it should detect, and the oracles, which it should not. A model
by itself is detected by a p-value below the level, or by a value outside the 95 % prediction interval of the oracles;
an oracle is held against the other ones.

A row is judged over all its seeds. Its models share the forget set and so are not independent: p-values are combined as
twice their mean, which is valid whatever the dependence (Vovk and Wang, Biometrika 2020). Differences to the paired
oracles are tested by Student's t. All statistics of a row, of all audits, are one family (Holm 1979).

Silence is a verdict only where the same test speaks up on the originals: where it detects most of them one by one, and
finds their row a violation too. A p-value that cannot become small enough for all statistics together never does.

A mean over n images moves in steps of 1 / n, so that a few values are easily all alike by chance. Their spread is then
taken for the smallest above 0, as if one of them were a step away: three differences of a step prove nothing. Where n
is not known either, values that are all alike have no spread at all, and neither detect nor prove anything.

A dose is that of `metric_summary`, and is said only where the originals' own row is a violation by the statistic.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import (
    ALIKE,
    FEWEST,
    LEVEL,
    SCENARIO,
    ScenarioOf,
    View,
    half_width,
    scenario_of,
    spread,
    with_p_holm,
)

POWER: Final = 0.8
"""Share of the originals that an audit must detect, so that its silence says something."""

_SAME = "study, scenario, audit, metric, version, split, class_index"


@dataclass(frozen=True, kw_only=True)
class _AuditVerdict:
    row: Annotated[str, Column("", "row of the comparison")]
    audit: Annotated[str, Column("", "name of the audit")]
    looks_at: Annotated[str | None, Column("", "where the audit looks, as in measures")]
    metric: Annotated[str, Column("", "what it found, AUDIT_STATISTIC; those that judge nothing are in metric_summary")]
    version: Annotated[int, Column("", "version of the audit")]
    split: Annotated[str | None, Column("", "images it is found on; null where there are none")]
    class_index: Annotated[int | None, Column("", "the class, from 0; null for all classes together")]
    test: Annotated[str, Column("", "how it judges: 'p-value', 'mean' or 'difference', as in measures")]
    seeds: Annotated[int, Column("", "reporting seeds that have a value")]
    mean: Annotated[float, Column("", "mean over these seeds, in the statistic's unit")]
    difference: Annotated[float | None, Column("", "mean difference to the paired oracles; null for the oracles' row")]
    low: Annotated[
        float | None,
        Column(
            "",
            f"lower end of the difference's 95 % interval; null below {FEWEST} seeds, and where differences are all "
            "alike and the number of images is not known",
        ),
    ]
    high: Annotated[float | None, Column("", "upper end of the same interval")]
    dose: Annotated[
        float | None,
        Column(
            "",
            "share of the forget set that would explain the mean, that of metric_summary; null where the originals' "
            "own row is no violation by it, too",
        ),
    ]
    p: Annotated[
        float | None,
        Column(
            "",
            "twice the mean p-value, or that of a paired t-test of the difference; null below "
            f"{FEWEST} seeds, where oracles would be held against themselves, and where differences are all alike and "
            "the number of images is not known",
        ),
    ]
    p_holm: Annotated[float | None, Column("", "the same, adjusted for all statistics of the row (Holm)")]
    detected: Annotated[
        float | None,
        Column(
            "fraction",
            f"share of the row's models detected one by one; null below {FEWEST} other oracles, and where these are "
            "all alike and the number of images is not known",
        ),
    ]
    power: Annotated[
        float | None, Column("fraction", "the same share of the originals: what it finds if nothing is forgotten")
    ]
    false_positive_rate: Annotated[
        float | None, Column("fraction", "the same share of the oracles, each held against the others")
    ]
    oracles: Annotated[int, Column("", "oracles that this rate is taken over")]
    verdict: Annotated[
        str | None,
        Column(
            "",
            f"'violation' (p_holm below {LEVEL}), 'inconclusive' (no p, power below {POWER}, or the originals' own row "
            "is no violation by it), 'no violation detected', 'too few seeds', or 'reference' (the oracles, to which "
            "differences are taken); null where there are no oracles",
        ),
    ]
    overall: Annotated[
        str | None,
        Column(
            "",
            "of all statistics of the row: 'violation' if any has one, else 'no violation detected' if any could; null "
            "likewise",
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class AuditVerdictRow(_AuditVerdict, ScenarioOf):
    """What one statistic of an audit says of one row."""


AUDIT_VERDICTS: Final = View(
    "What each audit says of each row: a verdict, with its power on the originals and false alarms on the oracles.",
    AuditVerdictRow,
    f"""
with measured as (
    select {scenario_of("c")}, c.row, c.role, c.training_seed, m.audit, m.looks_at, m.metric, m.version, m.split,
        m.class_index, m.test, m.value, m.n, c.oracle is not null as has_oracles
    from compared c join measures m on m.study = c.study and m.unit_id = c.confirmation_id
    where m.unit_kind = 'confirmation' and m.test is not null and m.value is not null
),
oracles as (
    select {_SAME}, training_seed, value, n from measured where row = 'oracle'
),
paired as (
    select m.*, m.value - o.value as gained
    from measured m left join oracles o
        on o.study = m.study and o.scenario = m.scenario and o.training_seed = m.training_seed and o.metric = m.metric
        and o.version = m.version and o.split is not distinct from m.split
        and o.class_index is not distinct from m.class_index and m.row <> 'oracle'
),
others as (
    select m.study, m.scenario, m.row, m.training_seed, m.metric, m.version, m.split, m.class_index,
        count(o.value) as count, avg(o.value) as mean,
        {spread("o.value", "o.n")} as sd
    from measured m left join oracles o
        on o.study = m.study and o.scenario = m.scenario and o.metric = m.metric and o.version = m.version
        and o.split is not distinct from m.split and o.class_index is not distinct from m.class_index
        and not (m.row = 'oracle' and o.training_seed = m.training_seed)
    group by all
),
single as (
    select p.*,
        case when p.test = 'p-value' then p.value < {LEVEL}
            when o.count >= {FEWEST} then abs(p.value - o.mean) > {ALIKE}
                and abs(p.value - o.mean) > t_quantile(o.count, 0.975) * o.sd * sqrt(1 + 1 / o.count)
            end as is_detected
    from paired p join others o
        on o.study = p.study and o.scenario = p.scenario and o.row = p.row and o.training_seed = p.training_seed
        and o.metric = p.metric and o.version = p.version and o.split is not distinct from p.split
        and o.class_index is not distinct from p.class_index
),
rated as (
    select *,
        avg(is_detected::int) filter (row = 'original') over of_statistic as power,
        avg(is_detected::int) filter (row = 'oracle') over of_statistic as false_positive_rate,
        count(is_detected) filter (row = 'oracle') over of_statistic as oracles
    from single
    window of_statistic as (partition by {_SAME})
),
summed as (
    select {SCENARIO}, row, audit, looks_at, metric, version, split, class_index, test, power, false_positive_rate,
        oracles, count(value) as seeds, avg(value) as mean, avg(gained) as difference,
        {half_width("gained", spread("gained", "n"))} as reach,
        avg(is_detected::int) as detected,
        case when count(value) < {FEWEST} then null
            when test = 'p-value' then least(1.0, 2 * avg(value))
            when count(gained) < {FEWEST} then null
            when abs(avg(gained)) <= {ALIKE} then 1.0
            else t_pvalue(avg(gained), {spread("gained", "n")}, count(gained)) end as p,
        if(test = 'p-value', count(value), count(gained)) as judged_on, bool_and(has_oracles) as has_oracles
    from rated where role <> 'tuning'
    group by {SCENARIO}, row, audit, looks_at, metric, version, split, class_index, test, power, false_positive_rate,
        oracles
),
adjusted as ({with_p_holm("summed", "study, scenario, row", "metric, split, class_index")}),
anchored as (
    select *,
        bool_or(p_holm < {LEVEL}) filter (row = 'original') over of_statistic as finds_originals
    from adjusted
    window of_statistic as (partition by {_SAME})
),
judged as (
    select *,
        case when not has_oracles then null
            when row = 'oracle' and test <> 'p-value' then 'reference'
            when judged_on < {FEWEST} then 'too few seeds'
            when p_holm is null then 'inconclusive'
            when p_holm < {LEVEL} then 'violation'
            when power >= {POWER} and finds_originals then 'no violation detected'
            else 'inconclusive' end as verdict
    from anchored
),
dosed as (
    select j.*, s.dose
    from judged j left join metric_summary s
        on j.test = 'mean' and j.finds_originals and s.study = j.study and s.scenario = j.scenario and s.row = j.row
        and s.metric = j.metric and s.version = j.version and s.split is not distinct from j.split
        and s.class_index is not distinct from j.class_index
)
select {SCENARIO}, row, audit, looks_at, metric, version, split, class_index, test, seeds, mean, difference,
    difference - reach as low, difference + reach as high, dose, p, p_holm, detected, power, false_positive_rate,
    oracles, verdict,
    case when not bool_and(has_oracles) over of_row then null
        when bool_or(verdict = 'violation') over of_row then 'violation'
        when bool_or(verdict = 'no violation detected') over of_row then 'no violation detected'
        when bool_or(verdict = 'inconclusive') over of_row then 'inconclusive'
        when bool_and(verdict = 'reference') over of_row then 'reference'
        else 'too few seeds' end as overall
from dosed
window of_row as (partition by study, scenario, row)
order by study, dataset, augmentation, forget, scenario, row <> 'original', row <> 'oracle', row, audit, metric, split,
    class_index nulls first
""",
)
