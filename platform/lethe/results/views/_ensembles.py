"""The models of a row taken together: is what they say of each forgotten image distributed as what oracles say?

Of the oracles, the study's tuning seeds' among them, as many as there are models compared are set apart, those that the
models are paired with; row and oracles are held against the same other ones. So the floor is that of as many models.
Models that each forgot another half of the same candidates are in the view ``halves``.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View, scenario_of
from unlearning.ensembles import FEWEST


@dataclass(frozen=True, kw_only=True)
class _Ensemble:
    row: Annotated[str, Column("", "row of the comparison")]
    models: Annotated[int, Column("", "models of the row that are compared, of the first reporting seeds")]
    oracles: Annotated[int, Column("", "oracles that they are compared with, of other seeds")]
    images: Annotated[int, Column("images", "images of the forget set")]
    klom: Annotated[float, Column("nats", "KLoM: divergence of their margins from the oracles', mean over images")]
    klom_floor: Annotated[float, Column("nats", "the same of as many oracles; with few models it is large, too")]
    klom_p95: Annotated[float, Column("nats", "KLoM of the image that 95 % of the images are below")]
    klom_p95_floor: Annotated[float, Column("nats", "the same of as many oracles")]
    lira_auc: Annotated[
        float,
        Column("fraction", "U-LiRA: chance that a model of the row has a higher likelihood ratio than an oracle"),
    ]
    lira_auc_floor: Annotated[float, Column("fraction", "the same of as many oracles")]
    quality: Annotated[
        float, Column("", "forgetting quality of the NeurIPS 2023 competition, between 2^-12 and 1; a rank, no proof")
    ]
    quality_floor: Annotated[float, Column("", "the same of as many oracles")]
    largest_epsilon: Annotated[
        float, Column("", "log(models - 1): the largest epsilon per image that so few models can show without error")
    ]


@dataclass(frozen=True, kw_only=True)
class EnsembleRow(_Ensemble, ScenarioOf):
    """The models of one row against oracles, image by image."""


ENSEMBLES: Final = View(
    "The models of each row against oracles, image by image of the forget set: KLoM, U-LiRA, forgetting quality.",
    EnsembleRow,
    f"""
with models as (
    select {scenario_of("c")}, c.row, c.role, c.training_seed,
        list(p.confidence order by p.image) as confidences, list(p.image order by p.image) as images
    from compared c join predictions p on p.study = c.study and p.confirmation_id = c.confirmation_id
    where coalesce(p.split, 'forget') = 'forget'
    group by all
),
alike as (select study, scenario from models group by all having count(distinct images) = 1),
ranked as (
    select * exclude (images),
        row_number() over (partition by study, scenario, row, role order by training_seed) as place
    from models join alike using (study, scenario)
),
sizes as (
    select study, scenario,
        least(count(*) filter (role = 'reporting'), count(*) // 2) as size
    from models where row = 'oracle' group by all
),
own as (
    select r.* exclude (role, place)
    from ranked r join sizes using (study, scenario) where role = 'reporting' and place <= size
),
paired as (
    select study, scenario, list(confidences order by training_seed) as confidences
    from own where row = 'oracle' group by all
),
others as (
    select study, scenario, list(confidences order by training_seed) as confidences
    from models m where row = 'oracle' and not exists (
        select 1 from own o
        where o.study = m.study and o.scenario = m.scenario and o.row = 'oracle' and o.training_seed = m.training_seed
    )
    group by all
),
grouped as (
    select {SCENARIO}, row, list(confidences order by training_seed) as confidences
    from own where row <> 'oracle' group by all
),
found as (
    select {scenario_of("g")}, g.row, len(g.confidences) as models,
        len(o.confidences) as oracles, len(g.confidences[1]) as images,
        compare_ensembles(g.confidences, o.confidences) as of_row,
        compare_ensembles(p.confidences, o.confidences) as floor
    from grouped g join paired p using (study, scenario) join others o using (study, scenario)
    where len(g.confidences) = len(p.confidences) and least(len(g.confidences), len(o.confidences)) >= {FEWEST}
)
select {SCENARIO}, row, models, oracles, images, of_row.klom as klom, floor.klom as klom_floor,
    of_row.klom_p95 as klom_p95, floor.klom_p95 as klom_p95_floor, of_row.lira_auc as lira_auc,
    floor.lira_auc as lira_auc_floor, of_row.quality as quality, floor.quality as quality_floor,
    ln(models - 1) as largest_epsilon
from found
order by study, dataset, augmentation, forget, scenario, row <> 'original', row
""",
)
