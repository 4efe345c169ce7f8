"""How the rows of a board compare with each other: differences of their gaps, paired by seed.

A board answers three questions: which method beats doing nothing, which method beats which, and what a control takes
away from its method. Each question is a family of hypotheses, adjusted by itself (Holm 1979): within a board at most
one family in twenty holds a false verdict. Families are fixed by what the rows are, never by what they turn out to be.

With few images the differences may be all alike by chance; their spread is then the smallest that steps of the forget
set's images allow, as for audits.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import (
    FEWEST,
    LEVEL,
    SCENARIO,
    WHOLE,
    ScenarioOf,
    View,
    clipped,
    half_width,
    scenario_of,
    spread_of_gaps,
    with_p_holm,
)


@dataclass(frozen=True, kw_only=True)
class _Contrast:
    first: Annotated[str, Column("", "a method, or a control that was tuned itself")]
    second: Annotated[str, Column("", "what it is compared with: the original, another method, or one of its controls")]
    family: Annotated[
        str,
        Column("", "question that it belongs to: 'doing nothing', 'methods' (every pair of them) or 'controls'"),
    ]
    compared: Annotated[int, Column("", "contrasts of this family on the board, which p_holm is adjusted for")]
    untuned: Annotated[bool, Column("", "whether the second is a control at the first's setting, not tuned itself")]
    seeds: Annotated[int, Column("", "reporting seeds that both have")]
    difference: Annotated[
        float,
        Column("fraction", "gap of the first minus the second's, paired by seed; below 0 the first is closer"),
    ]
    low: Annotated[float | None, Column("fraction", f"lower end of its own 95 % interval; null below {FEWEST} seeds")]
    high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    p: Annotated[float | None, Column("", f"two-sided p of a paired t-test; null below {FEWEST} seeds")]
    p_holm: Annotated[
        float | None, Column("", "the same, adjusted for all contrasts of its family on the board (Holm)")
    ]
    verdict: Annotated[
        str,
        Column("", f"'closer' or 'farther' (p_holm below {LEVEL}), 'inconclusive', or 'too few seeds'"),
    ]


@dataclass(frozen=True, kw_only=True)
class ContrastRow(_Contrast, ScenarioOf):
    """How much farther from the oracle one row is than another."""


_SPREAD: Final = spread_of_gaps("a.gap - b.gap", "a.forget_images")

CONTRASTS: Final = View(
    "Each method against doing nothing, other methods and its own controls: gaps paired by seed, Holm in each family.",
    ContrastRow,
    f"""
with whole as ({WHOLE}),
gaps as (
    select {SCENARIO}, row, method, untuned, training_seed, gap, forget_images
    from confirmed semi join whole using (study, scenario, row)
),
paired as (
    select {scenario_of("a")}, a.row as first, b.row as second,
        case when b.row = 'original' then 'doing nothing' when b.untuned then 'controls' else 'methods' end as family,
        b.untuned as untuned,
        count(*) as seeds,
        avg(a.gap - b.gap) as difference,
        {_SPREAD} as sd,
        {half_width("a.gap - b.gap", _SPREAD)} as reach
    from gaps a join gaps b using (study, scenario, training_seed)
    where not a.untuned and a.row not in ('original', 'oracle') and b.row <> 'oracle'
        and case when b.row = 'original' then true
            when b.untuned then a.row = a.method and b.method = a.method
            else a.row < b.row end
    group by all
),
tested as (
    select *, case when seeds >= {FEWEST} then t_pvalue(difference, sd, seeds) end as p from paired
),
adjusted as ({with_p_holm("tested", "study, scenario, family", "first, second")})
select {SCENARIO}, first, second, family, count(*) over (partition by study, scenario, family) as compared,
    untuned, seeds, difference,
    {clipped("difference - reach", -1, 1)} as low,
    {clipped("difference + reach", -1, 1)} as high,
    p, p_holm,
    case when p is null then 'too few seeds'
        when p_holm >= {LEVEL} then 'inconclusive'
        when difference < 0 then 'closer'
        else 'farther' end as verdict
from adjusted
order by study, dataset, augmentation, forget, scenario, first, second <> 'original', untuned, second
""",
    kept=True,
)
