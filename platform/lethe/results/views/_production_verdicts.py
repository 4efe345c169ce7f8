"""What the audits say of each model that is delivered: one model by itself, held against the oracles.

There is no row of several seeds to judge, so each statistic is a test of one model: a p-value as it is; any other value
against the prediction interval of the oracles (Student's t, for one more of them). All statistics of a model are one
family (Holm 1979). The originals of the study's seeds undergo the same test: where it does not detect most of them, its
silence about the delivered model says nothing. So do the oracles, each held against the others.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._audit_verdicts import POWER
from lethe.results.views._base import ALIKE, FEWEST, LEVEL, SCENARIO, ScenarioOf, View, scenario_of, spread, with_p_holm


@dataclass(frozen=True, kw_only=True)
class _ProductionVerdict:
    row: Annotated[str, Column("", "row of the comparison whose setting the model has")]
    confirmation_id: Annotated[str, Column("", "the model's confirmation, of role 'production'")]
    audit: Annotated[str, Column("", "name of the audit")]
    looks_at: Annotated[str | None, Column("", "where the audit looks, as in measures")]
    metric: Annotated[str, Column("", "what it found, AUDIT_STATISTIC")]
    version: Annotated[int, Column("", "version of the audit")]
    split: Annotated[str | None, Column("", "images it is found on; null where there are none")]
    class_index: Annotated[int | None, Column("", "the class, from 0; null for all classes together")]
    test: Annotated[str, Column("", "how it judges: 'p-value', 'mean' or 'difference', as in measures")]
    value: Annotated[float, Column("", "of the model, in the statistic's unit")]
    oracle_mean: Annotated[float | None, Column("", "mean of the oracles that it is held against")]
    oracle_low: Annotated[
        float | None, Column("", "lower end of the 95 % prediction interval of one more oracle; null for p-values")
    ]
    oracle_high: Annotated[float | None, Column("", "upper end of the same interval")]
    p: Annotated[
        float | None,
        Column(
            "",
            f"chance of such a value for an oracle; null below {FEWEST} oracles, and where these are all alike and the "
            "number of images is not known",
        ),
    ]
    p_holm: Annotated[float | None, Column("", "the same, adjusted for all statistics of the model (Holm)")]
    power: Annotated[
        float | None, Column("fraction", "share of the originals that the same test detects, adjusted in the same way")
    ]
    false_positive_rate: Annotated[
        float | None, Column("fraction", "the same share of the oracles, each held against the others")
    ]
    oracles: Annotated[int, Column("", "oracles that the model is held against")]
    verdict: Annotated[
        str,
        Column(
            "",
            f"'violation' (p_holm below {LEVEL}), 'no violation detected' (by a test that detects at least "
            f"{100 * POWER:.0f} % of the originals), else 'inconclusive'",
        ),
    ]
    overall: Annotated[
        str,
        Column(
            "", "of all statistics of the model: 'violation' if any has one, else 'no violation detected' if any could"
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class ProductionVerdictRow(_ProductionVerdict, ScenarioOf):
    """What one statistic of an audit says of one model that is delivered."""


_SAME: Final = """o.study = m.study and o.scenario = m.scenario and o.metric = m.metric and o.version = m.version
        and o.split is not distinct from m.split and o.class_index is not distinct from m.class_index"""

PRODUCTION_VERDICTS: Final = View(
    "What each audit says of each model that is delivered, with its power on single originals.",
    ProductionVerdictRow,
    f"""
with models as (
    select {SCENARIO}, row, row as part, training_seed, confirmation_id
    from compared where row in ('original', 'oracle')
    union all by name
    select {SCENARIO}, row, 'production' as part, training_seed, confirmation_id
    from confirmations where role = 'production'
),
measured as (
    select {scenario_of("c")}, c.row, c.part, c.training_seed, c.confirmation_id, m.audit, m.looks_at, m.metric,
        m.version, m.split, m.class_index, m.test, m.value, m.n
    from models c join measures m on m.study = c.study and m.unit_id = c.confirmation_id
    where m.unit_kind = 'confirmation' and m.test is not null and m.value is not null
),
held as (
    select m.confirmation_id, m.metric, m.version, m.split, m.class_index, count(o.value) as oracles,
        avg(o.value) as oracle_mean,
        case when count(o.value) >= {FEWEST} then {spread("o.value", "o.n")} * sqrt(1 + 1 / count(o.value)) end as sd
    from measured m left join measured o
        on o.part = 'oracle' and {_SAME} and not (m.part = 'oracle' and o.training_seed = m.training_seed)
    group by all
),
tested as (
    select m.*, o.oracles, o.oracle_mean, o.sd,
        case when m.test = 'p-value' then m.value
            when o.sd is null then null
            when abs(m.value - o.oracle_mean) <= {ALIKE} then 1.0
            else t_pvalue(m.value - o.oracle_mean, o.sd * sqrt(o.oracles), o.oracles) end as p
    from measured m join held o
        on o.confirmation_id = m.confirmation_id and o.metric = m.metric and o.version = m.version
        and o.split is not distinct from m.split and o.class_index is not distinct from m.class_index
),
adjusted as ({with_p_holm("tested", "study, scenario, confirmation_id", "metric, split, class_index")}),
rated as (
    select *,
        avg((p_holm < {LEVEL})::int) filter (part = 'original') over of_statistic as power,
        avg((p_holm < {LEVEL})::int) filter (part = 'oracle') over of_statistic as false_positive_rate
    from adjusted
    window of_statistic as (partition by study, scenario, metric, version, split, class_index)
),
judged as (
    select *,
        case when p_holm < {LEVEL} then 'violation'
            when p_holm is not null and power >= {POWER} then 'no violation detected'
            else 'inconclusive' end as verdict
    from rated where part = 'production'
)
select {SCENARIO}, row, confirmation_id, audit, looks_at, metric, version, split, class_index, test, value, oracle_mean,
    case when test <> 'p-value' then oracle_mean - t_quantile(oracles, 0.975) * sd end as oracle_low,
    case when test <> 'p-value' then oracle_mean + t_quantile(oracles, 0.975) * sd end as oracle_high,
    p, p_holm, power, false_positive_rate, oracles, verdict,
    case when bool_or(verdict = 'violation') over of_model then 'violation'
        when bool_or(verdict = 'no violation detected') over of_model then 'no violation detected'
        else 'inconclusive' end as overall
from judged
window of_model as (partition by study, confirmation_id)
order by study, dataset, augmentation, forget, scenario, row, confirmation_id, audit, metric, split,
    class_index nulls first
""",
)
