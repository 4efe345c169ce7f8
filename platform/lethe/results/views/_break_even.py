"""After how many requests a method has cost less than a retraining at each of them.

Tuning, models to compare with and measuring are paid once, if the setting is kept for later requests; a retraining at
each request costs as much as training one oracle. An original is counted as its oracle, image for image, and one of
them not at all: production has trained that one.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import SCENARIO, ScenarioOf, View, scenario_of


@dataclass(frozen=True, kw_only=True)
class _BreakEven:
    row: Annotated[str, Column("", "a method at the setting that was chosen")]
    saves: Annotated[bool, Column("", "whether an unlearning takes less time than a retraining")]
    requests: Annotated[
        int | None,
        Column("", "requests from which all of it took less time than retrainings; null: never, or tuning unknown"),
    ]
    requests_tuning: Annotated[int | None, Column("", "the same without what only measures: models and confirmations")]
    requests_images: Annotated[
        int | None, Column("", "requests from which all of it passed fewer images; null: never, or tuning unknown")
    ]
    seconds_tuning: Annotated[
        float | None, Column("s", "the search's trials, here or where the setting is taken from; null where unknown")
    ]
    seconds_models: Annotated[float, Column("s", "originals and oracles of all seeds, and others that audits read")]
    seconds_confirming: Annotated[float, Column("s", "confirmations of row, originals and oracles, audits included")]
    seconds_unlearn: Annotated[float, Column("s", "of one request")]
    seconds_retrain: Annotated[float, Column("s", "of one request")]
    images_tuning: Annotated[
        float | None,
        Column("images", "the same in passes of a training image, forward and backward; null where unknown"),
    ]
    images_models: Annotated[float | None, Column("images", "the same of the models; null in early results")]
    images_confirming: Annotated[float | None, Column("images", "the same of the row's confirmations")]
    images_unlearn: Annotated[float | None, Column("images", "of one request")]
    images_retrain: Annotated[float | None, Column("images", "of one request")]
    models: Annotated[int, Column("", "how many models were counted")]


@dataclass(frozen=True, kw_only=True)
class BreakEvenRow(_BreakEven, ScenarioOf):
    """What a method cost in all, held against a retraining at each request."""


def _requests(setup: str, unlearn: str, retrain: str) -> str:
    """Write the SQL of the smallest whole n with setup + n unlearn < n retrain; null where there is none."""
    return f"case when {unlearn} < {retrain} then floor(({setup}) / ({retrain} - {unlearn}))::bigint + 1 end"


_ORIGINAL: Final = "{} / (1 - forget_fraction)"
"""SQL: what an original took, from what its oracle took."""

BREAK_EVEN: Final = View(
    "After how many requests tuning, oracles, audits and unlearnings cost less than a retraining at each request.",
    BreakEvenRow,
    f"""
with counted as (
    select * from compared
    where role <> 'dose' and status = 'done' and seconds_unlearn is not null and seconds_retrain is not null
        and (step is null or step = 1)
),
pairs as (
    select study, scenario, 2 * count(*) - 1 as models,
        sum(seconds_retrain + {_ORIGINAL.format("seconds_retrain")}) - avg({_ORIGINAL.format("seconds_retrain")})
            as seconds,
        sum(images_retrain + {_ORIGINAL.format("images_retrain")}) - avg({_ORIGINAL.format("images_retrain")})
            as images,
        sum(seconds_total) as seconds_confirming
    from counted where row = 'oracle' group by all
),
known as (
    select study, original as model from counted union select study, oracle as model from counted
),
further as (
    select c.study, c.scenario, count(*) as models, sum(a.seconds_train) as seconds,
        sum(a.images_trained)::double as images
    from (select distinct study, scenario, dataset, augmentation, network, precision from counted) c
        join artifacts a on a.study = c.study and a.dataset = c.dataset and a.augmentation = c.augmentation
            and a.network = c.network and a.precision is not distinct from c.precision
            and coalesce(a.scenario, c.scenario) = c.scenario
        anti join known k on k.study = a.study and k.model = a.artifact_id
    where a.kind in ('original', 'oracle')
    group by all
),
originals as (
    select study, scenario, sum(seconds_total) as seconds_confirming from counted where row = 'original' group by all
),
searched as (
    select t.study, t.method_search,
        sum(t.compute_share * len(t.training_seeds)) filter (copied_from is null) as retrainings,
        count(*) filter (copied_from is null and t.compute_share is null and status = 'done') as unknown
    from trials t group by all
),
lines as (
    select {SCENARIO}, row, any_value(method_search) as method_search,
        max(tuning_seconds) as seconds_tuning, sum(seconds_total) as seconds_confirming,
        avg(seconds_unlearn) as seconds_unlearn, avg(seconds_retrain) as seconds_retrain,
        avg(images_unlearn) as images_unlearn, avg(images_retrain) as images_retrain,
        sum(images_unlearn)::double as images_confirming, any_value(tuned_in) as tuned_in
    from counted
    where role = 'reporting' and not untuned and row not in ('original', 'oracle')
    group by {SCENARIO}, row
    having count(*) = max(seeds_wanted)
),
parts as (
    select {scenario_of("l")}, l.row, l.seconds_tuning,
        p.seconds + coalesce(f.seconds, 0) as seconds_models,
        l.seconds_confirming + p.seconds_confirming + coalesce(o.seconds_confirming, 0) as seconds_confirming,
        l.seconds_unlearn, l.seconds_retrain,
        if(l.tuned_in is null and s.unknown = 0, s.retrainings * l.images_retrain, null) as images_tuning,
        p.images + coalesce(f.images, 0) as images_models, l.images_confirming, l.images_unlearn, l.images_retrain,
        p.models + coalesce(f.models, 0) as models
    from lines l join pairs p using (study, scenario)
        left join further f using (study, scenario)
        left join originals o using (study, scenario)
        left join searched s on s.study = l.study and s.method_search = l.method_search
)
select {SCENARIO}, row, seconds_unlearn < seconds_retrain as saves,
    {_requests("seconds_tuning + seconds_models + seconds_confirming", "seconds_unlearn", "seconds_retrain")}
        as requests,
    {_requests("seconds_tuning", "seconds_unlearn", "seconds_retrain")} as requests_tuning,
    {_requests("images_tuning + images_models + images_confirming", "images_unlearn", "images_retrain")}
        as requests_images,
    seconds_tuning, seconds_models, seconds_confirming, seconds_unlearn, seconds_retrain,
    images_tuning, images_models, images_confirming, images_unlearn, images_retrain, models
from parts
order by {SCENARIO}, row
""",
)
