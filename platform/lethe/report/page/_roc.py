"""How well the confidence in an image's own class tells forget from control images, from the stored predictions.

The control half was never trained on, so a model that has forgotten gives both the same confidence. This is no fitted
attack: MIA's classifier learns from retain and test images, of which no predictions are stored.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lethe.report._board import Key
from lethe.report.page._gather import among
from lethe.results import Results, to_rows

POINTS: Final = 50
"""Most points of a curve, beside its ends."""


@dataclass(frozen=True, kw_only=True)
class _Curve:
    study: str
    scenario: str
    row: str
    false_positive_rates: list[float]
    true_positive_rates: list[float]
    area: float


def rocs_of(results: Results, drawn: Iterable[Key]) -> Mapping[tuple[str, str, str], dict[str, Any]]:
    """Return the ROC curve of each row of these scenarios that has a control half, all seeds together.

    ``x`` is the share of the control images above a confidence, ``y`` that of the forget images, ``area`` what lies
    below the curve, with ties counted as one half.
    """
    found: defaultdict[tuple[str, str, str], dict[str, Any]] = defaultdict(dict)
    for one in to_rows(results.query(_ROC.format(drawn=among(drawn), points=POINTS)), _Curve):
        found[one.study, one.scenario, one.row] = {
            "x": [0.0, *one.false_positive_rates],
            "y": [0.0, *one.true_positive_rates],
            "area": one.area,
        }
    return found


_ROC: Final = """
with levels as (
    select p.study, p.scenario, p.row, p.confidence, count_if(coalesce(p.split, 'forget') = 'forget') as forgotten,
        count_if(p.split = 'control') as controls
    from predictions p semi join (from confirmed where {drawn}) using (study, scenario, confirmation_id)
    group by all
),
rates as (
    select study, scenario, row, confidence,
        sum(forgotten) over above / sum(forgotten) over whole as tpr,
        sum(controls) over above / sum(controls) over whole as fpr
    from levels
    window whole as (partition by study, scenario, row), above as (whole order by confidence desc)
    qualify sum(forgotten) over whole > 0 and sum(controls) over whole > 0
),
steps as (
    select *, coalesce(lag(tpr) over above, 0) as tpr_before, coalesce(lag(fpr) over above, 0) as fpr_before
    from rates window above as (partition by study, scenario, row order by confidence desc)
),
areas as (
    select study, scenario, row, sum((fpr - fpr_before) * (tpr + tpr_before) / 2)::double as area
    from steps group by all
),
shown as (
    select study, scenario, row, max(fpr)::double as fpr, max(tpr)::double as tpr
    from rates group by study, scenario, row, ceil(fpr * {points})
)
select study, scenario, row, list(fpr order by fpr) as false_positive_rates,
    list(tpr order by fpr) as true_positive_rates, any_value(area) as area
from shown join areas using (study, scenario, row) group by all
"""
