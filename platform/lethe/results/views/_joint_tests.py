"""One test for each row that looks at UA, RA, TA and MIA at once: are its models distributed as the oracles are?"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import LEVEL, SCENARIO, WHOLE, ScenarioOf, View, with_p_holm


@dataclass(frozen=True, kw_only=True)
class _JointTest:
    row: Annotated[str, Column("", "row of the comparison")]
    models: Annotated[int, Column("", "models of this row")]
    oracles: Annotated[int, Column("", "oracles that they are tested against, the tuning seeds' too")]
    distance: Annotated[float, Column("", "energy distance of the standardised (UA, RA, TA, MIA); 0 for the same")]
    p: Annotated[float, Column("", "share of the permutations of the labels with at least this distance")]
    least_p: Annotated[float, Column("", "the smallest p that so many models can give")]
    p_holm: Annotated[float, Column("", "p, adjusted for all rows of the board (Holm)")]
    verdict: Annotated[
        str,
        Column(
            "",
            f"'differs' (p_holm below {LEVEL}), 'no difference found', or 'too few seeds' for any p to be below it",
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class JointTestRow(_JointTest, ScenarioOf):
    """Whether the models of one row can be distinguished from oracles by their four measures together."""


JOINT_TESTS: Final = View(
    "All four measures at once: an energy test, by label permutation, of each row's models against the oracles.",
    JointTestRow,
    f"""
with whole as ({WHOLE}),
vectors as (
    select {SCENARIO}, row, role, training_seed, mia_nonmembers, [ua, ra, ta, mia] as vector
    from compared where ua is not null and ra is not null and ta is not null and mia is not null
),
oracles as (
    select study, scenario, mia_nonmembers, list(vector order by training_seed) as oracles
    from vectors where row = 'oracle' group by all
),
models as (
    select {SCENARIO}, row, mia_nonmembers, list(vector order by training_seed) as models
    from vectors semi join whole using (study, scenario, row) where row <> 'oracle' group by all
),
measured as (
    select {SCENARIO}, row, len(models) as models, len(oracles) as oracles, energy_test(models, oracles) as found
    from models join oracles using (study, scenario, mia_nonmembers)
),
tested as (
    select * exclude (found), found.distance as distance, found.p as p, found.least_p as least_p from measured
),
adjusted as ({with_p_holm("tested", "study, scenario", "row")})
select {SCENARIO}, row, models, oracles, distance, p, least_p, p_holm,
    case when least_p * count(*) over (partition by study, scenario) >= {LEVEL} then 'too few seeds'
        when p_holm < {LEVEL} then 'differs'
        else 'no difference found' end as verdict
from adjusted
order by study, dataset, augmentation, forget, scenario, row <> 'original', row
""",
)
