"""Models of a row that each forgot a half of their own of the same candidates: what they betray of their halves.

Each model is attacked by what the row's other models, its own original and the oracles say of each candidate. The
oracles' own row shows what the attacks find by chance, the originals' what they find where nothing was forgotten.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View, scenario_of
from unlearning.ensembles import FEWEST_HALVES


@dataclass(frozen=True, kw_only=True)
class _Halves:
    row: Annotated[str, Column("", "row of the comparison, doses too")]
    models: Annotated[int, Column("", "models that are attacked, one of each reporting seed")]
    images: Annotated[int, Column("images", "candidates, of which each model forgot about half")]
    lira_auc: Annotated[
        float | None,
        Column(
            "fraction",
            "U-LiRA with the row's own models that never had an image as OUT: chance that an image that a model forgot "
            "scores above one that it never had",
        ),
    ]
    lira_p: Annotated[
        float | None, Column("", "its one-sided p-value, by drawing all halves anew; exact for any number of models")
    ]
    lira_auc_oracles: Annotated[
        float | None,
        Column("fraction", "U-LiRA with oracles as OUT: chance that a model scores above its oracle on the same image"),
    ]
    ruli_auc: Annotated[float | None, Column("fraction", "RULI's privacy attack: as lira_auc, with kernel densities")]
    ruli_efficacy: Annotated[
        float | None,
        Column(
            "fraction",
            "RULI's efficacy attack: chance that a forgotten image of the model scores above one that its original was "
            "not trained on, of the original; to be read beside the oracles'",
        ),
    ]
    guesses: Annotated[int, Column("", "candidates that are guessed of each model, half of them as forgotten")]
    right_share: Annotated[float, Column("fraction", "share of the guesses that are right; one half by chance")]
    epsilon_p: Annotated[float, Column("", "chance of so many right guesses if no model depends on its half; exact")]
    epsilon_bound: Annotated[
        float, Column("", "epsilon that all models' guesses together refute at 95 %; 0: none is refuted")
    ]
    gaussian_bound: Annotated[float, Column("", "mu of Gaussian differential privacy that they refute")]


@dataclass(frozen=True, kw_only=True)
class HalvesRow(_Halves, ScenarioOf):
    """The models of one row, each of another half, against each other."""


HALVES: Final = View(
    "Models that each forgot a half of their own of the same candidates: U-LiRA, RULI, and epsilon of all together.",
    HalvesRow,
    f"""
with models as (
    select {scenario_of("c")}, c.row, c.training_seed,
        list(p.confidence order by p.image) as confidences,
        list(p.split = 'forget' order by p.image) as forgotten,
        list(p.unit order by p.image) as units
    from compared c join predictions p on p.study = c.study and p.confirmation_id = c.confirmation_id
    where c.role <> 'tuning' and p.split is not null
    group by all
),
dealt as (select study, scenario from models group by all having count(distinct forgotten) > 1),
grouped as (
    select {scenario_of("m")}, m.row, any_value(m.units) as units,
        list(m.confidences order by m.training_seed) as unlearned,
        list(i.confidences order by m.training_seed) as originals,
        list(o.confidences order by m.training_seed) as oracles,
        list(m.forgotten order by m.training_seed) as forgotten
    from models m join dealt using (study, scenario)
    join models o on o.study = m.study and o.scenario = m.scenario and o.training_seed = m.training_seed
        and o.row = 'oracle'
    join models i on i.study = m.study and i.scenario = m.scenario and i.training_seed = m.training_seed
        and i.row = 'original'
    group by all having count(*) >= {FEWEST_HALVES}
),
found as (
    select * exclude (unlearned, originals, oracles, forgotten, units), len(unlearned) as models,
        len(units) as images, attack_halves(unlearned, originals, oracles, forgotten, units) as attack
    from grouped
)
select {SCENARIO}, row, models, images, attack.*
from found
order by study, dataset, augmentation, forget, scenario, row <> 'original', row <> 'oracle', row
""",
)
