"""What each audit says of a single model: is it one of the oracles, or does it stand out from them?

A row is judged over its seeds (`audit_verdicts`); what is delivered is one model. Its value is held against those of
the oracles as one more of them: Student's t of a new value. A p-value stands for itself. All statistics of a model are
one family (Holm 1979). Every confirmation is here, whether or not a board has it.
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
    scenario_of,
    spread,
    with_p_holm,
)


@dataclass(frozen=True, kw_only=True)
class _Detection:
    confirmation_id: Annotated[str, Column("", "the confirmation of the model")]
    row: Annotated[str, Column("", "row of the comparison")]
    training_seed: Annotated[int, Column("", "training seed of the model")]
    audit: Annotated[str, Column("", "name of the audit")]
    metric: Annotated[str, Column("", "what it found, AUDIT_STATISTIC")]
    version: Annotated[int, Column("", "version of the audit")]
    split: Annotated[str | None, Column("", "images it is found on; null where there are none")]
    class_index: Annotated[int | None, Column("", "the class, from 0; null for all classes together")]
    test: Annotated[str, Column("", "how it judges: 'p-value', 'mean' or 'difference', as in measures")]
    value: Annotated[float, Column("", "its value, in the statistic's unit")]
    oracles: Annotated[int, Column("", "oracles that it is held against; an oracle is not held against itself")]
    oracle_mean: Annotated[float | None, Column("", "mean of these; null without any")]
    p: Annotated[
        float | None,
        Column(
            "",
            "the value itself where it is a p-value, else that of its being one more of the oracles; null below "
            f"{FEWEST} of them, and where these are all alike and the number of images is not known",
        ),
    ]
    p_holm: Annotated[float | None, Column("", "the same, adjusted for all statistics of the model (Holm)")]
    detected: Annotated[bool | None, Column("", f"whether p_holm is below {LEVEL}; null where it is")]


@dataclass(frozen=True, kw_only=True)
class DetectionRow(_Detection, ScenarioOf):
    """What one statistic of an audit says of one model."""


_SAME = " and ".join(
    f"o.{name} is not distinct from m.{name}"
    for name in ("study", "scenario", "metric", "version", "split", "class_index")
)

DETECTIONS: Final = View(
    "What each audit says of each single model: its value against those of the oracles, with a p for all statistics.",
    DetectionRow,
    f"""
with measured as (
    select {scenario_of("c")}, c.confirmation_id, c.row, c.training_seed, m.audit, m.metric, m.version, m.split,
        m.class_index, m.test, m.value, m.n
    from confirmations c join measures m on m.study = c.study and m.unit_id = c.confirmation_id
    where m.unit_kind = 'confirmation' and m.test is not null and m.value is not null
),
oracles as (
    select c.study, c.scenario, c.confirmation_id, c.training_seed, m.metric, m.version, m.split, m.class_index,
        m.value, m.n
    from compared c join measures m on m.study = c.study and m.unit_id = c.confirmation_id
    where c.row = 'oracle' and m.unit_kind = 'confirmation' and m.test is not null and m.value is not null
),
held as (
    select m.*, count(o.value) as oracles, avg(o.value) as oracle_mean, {spread("o.value", "o.n")} as sd
    from measured m left join oracles o
        on {_SAME} and o.confirmation_id <> m.confirmation_id
        and not (m.row = 'oracle' and o.training_seed = m.training_seed)
    group by all
),
tested as (
    select *,
        case when test = 'p-value' then value
            when oracles < {FEWEST} then null
            when abs(value - oracle_mean) <= {ALIKE} then 1.0
            else t_pvalue(value - oracle_mean, sd * sqrt(oracles + 1), oracles) end as p
    from held
),
adjusted as ({with_p_holm("tested", "study, scenario, confirmation_id", "metric, split, class_index")})
select {SCENARIO}, confirmation_id, row, training_seed, audit, metric, version, split, class_index, test, value,
    oracles, oracle_mean, p, p_holm, p_holm < {LEVEL} as detected
from adjusted
order by study, dataset, augmentation, forget, scenario, row, training_seed, confirmation_id, audit, metric, split,
    class_index nulls first
""",
)
