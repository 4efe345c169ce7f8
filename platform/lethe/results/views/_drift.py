"""Requests that come one after another: each row of a stream after each request, and what all of them cost so far."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import (
    FEWEST,
    SCENARIO,
    ScenarioOf,
    View,
    clipped,
    half_width,
    scenario_of,
    spread_of_gaps,
)

AT_ONCE: Final = "at once"
"""The end of the name of a row that forgot all images at once, as in `lethe.study`, importing which loads torch."""


@dataclass(frozen=True, kw_only=True)
class _AfterRequest:
    stream: Annotated[str, Column("", "fingerprint of the scenario of the stream's first request")]
    step: Annotated[int, Column("", "how many requests have come")]
    steps: Annotated[int, Column("", "how many come in all")]
    row: Annotated[str, Column("", "row of the comparison; 'METHOD at once': all images so far from the original")]
    seeds: Annotated[int, Column("", "reporting seeds that are confirmed")]
    seeds_wanted: Annotated[int, Column("", "reporting seeds of the specification")]
    forget_images: Annotated[int, Column("images", "withdrawn so far")]
    request_images: Annotated[int, Column("images", "those of them that the last request withdrew")]
    ua: Annotated[float | None, Column("fraction", "mean error on all that were withdrawn; null before all seeds have")]
    request_ua: Annotated[
        float | None,
        Column(
            "fraction",
            "the same on the images of the last request alone; null where an image has any number of labels",
        ),
    ]
    oracle_request_ua: Annotated[float | None, Column("fraction", "that of the paired oracles")]
    ra: Annotated[float | None, Column("fraction", "mean accuracy on what is retained")]
    ta: Annotated[float | None, Column("fraction", "mean accuracy on test")]
    ta_lowest: Annotated[float | None, Column("fraction", "that of the seed where it is lowest")]
    ta_highest: Annotated[float | None, Column("fraction", "that of the seed where it is highest")]
    oracle_ta: Annotated[float | None, Column("fraction", "that of the paired oracles")]
    mia: Annotated[float | None, Column("fraction", "mean MIA-efficacy on all that were withdrawn")]
    gap: Annotated[
        float | None, Column("fraction", "mean gap to the oracle without all requests so far; the oracle's: the floor")
    ]
    gap_low: Annotated[float | None, Column("fraction", "lower end of its 95 % interval, as in the leaderboard")]
    gap_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    noise_floor: Annotated[float | None, Column("fraction", "mean gap between oracles of different seeds")]
    excess: Annotated[float | None, Column("fraction", "mean excess over the noise floor")]
    excess_low: Annotated[float | None, Column("fraction", "lower end of its 95 % interval")]
    excess_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    verdict: Annotated[str | None, Column("", "on the excess, as in the leaderboard; of this step by itself")]
    gap_change: Annotated[
        float | None,
        Column("fraction", "gap minus that after the first request, paired by seed; null there and of oracles"),
    ]
    gap_change_low: Annotated[
        float | None, Column("fraction", f"lower end of its 95 % interval; null below {FEWEST} seeds")
    ]
    gap_change_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    seconds_unlearn: Annotated[float | None, Column("s", "mean time of the last unlearning")]
    seconds_so_far: Annotated[float | None, Column("s", "of all unlearnings so far, the mean over seeds")]
    seconds_retrain_so_far: Annotated[float | None, Column("s", "of a retraining at each of these requests")]
    images_so_far: Annotated[float | None, Column("images", "training images passed in all unlearnings so far")]
    images_retrain_so_far: Annotated[float | None, Column("images", "the same of a retraining at each request")]
    compute_share_so_far: Annotated[float | None, Column("fraction", "images_so_far / images_retrain_so_far")]


@dataclass(frozen=True, kw_only=True)
class DriftRow(_AfterRequest, ScenarioOf):
    """A row of a stream of requests after one of them."""


_MEASURES: Final = ("ua", "request_ua", "oracle_request_ua", "ra", "ta", "ta_lowest", "ta_highest", "oracle_ta", "mia")
_MEANS: Final = tuple(name for name in _MEASURES if name not in ("ta_lowest", "ta_highest"))
_SO_FAR: Final = "over (partition by study, stream, row order by step)"

_REACH: Final = half_width("change", spread_of_gaps("change", "forget_images"))

DRIFT: Final = View(
    "Requests one after another: what each of a stream's requests left of a row, how that changed, and costs so far.",
    DriftRow,
    f"""
with own as (select * from confirmed where step is not null),
withdrawn as (
    select o.study, o.stream, p.image, min(o.step) as step
    from own o join predictions p on p.study = o.study and p.confirmation_id = o.confirmation_id
    where o.row = 'oracle' and coalesce(p.split, 'forget') = 'forget'
    group by all
),
requested as (
    select o.study, o.scenario, o.row, o.training_seed, count(*) as images,
        avg((p.predicted <> p.label)::double) as error
    from own o join predictions p on p.study = o.study and p.confirmation_id = o.confirmation_id
        join withdrawn w on w.study = o.study and w.stream = o.stream and w.step = o.step and w.image = p.image
    group by all
),
each as (
    select o.*, r.images as request_images, r.error as request_ua, b.error as oracle_request_ua,
        if(o.row <> 'oracle', o.gap - first.gap, null) as change
    from own o
    left join requested r using (study, scenario, row, training_seed)
    left join requested b on b.study = o.study and b.scenario = o.scenario and b.training_seed = o.training_seed
        and b.row = 'oracle'
    left join own first on first.study = o.study and first.stream = o.stream and first.row = o.row
        and first.training_seed = o.training_seed and first.step = 1 and o.step > 1
),
lines as (
    select {SCENARIO}, stream, step, steps, row, count(*) as seeds, max(seeds_wanted) as seeds_wanted,
        max(forget_images) as forget_images, max(request_images) as request_images,
        count(gap) = max(seeds_wanted) as whole,
        {", ".join(f"avg({name}) as {name}" for name in _MEANS)}, min(ta) as ta_lowest, max(ta) as ta_highest,
        if(count(change) = max(seeds_wanted), avg(change), null) as gap_change, {_REACH} as reach,
        avg(seconds_unlearn) as seconds_unlearn, avg(seconds_retrain) as seconds_retrain,
        avg(images_unlearn) as images_unlearn, avg(images_retrain) as images_retrain
    from each group by {SCENARIO}, stream, step, steps, row
),
added as (
    select *,
        sum(seconds_unlearn) {_SO_FAR} as seconds_so_far,
        sum(seconds_retrain) {_SO_FAR} as seconds_retrain_so_far,
        sum(images_unlearn) {_SO_FAR} as images_so_far,
        sum(images_retrain) {_SO_FAR} as images_retrain_so_far
    from lines
)
select {scenario_of("a")}, stream, step, steps, a.row, a.seeds, a.seeds_wanted,
    a.forget_images, request_images,
    {", ".join(f"case when whole then a.{name} end as {name}" for name in _MEASURES)},
    b.gap, b.gap_low, b.gap_high, b.noise_floor, b.excess, b.excess_low, b.excess_high, b.verdict,
    gap_change,
    {clipped("gap_change - reach", -1, 1)} as gap_change_low,
    {clipped("gap_change + reach", -1, 1)} as gap_change_high,
    a.seconds_unlearn, seconds_so_far, seconds_retrain_so_far, images_so_far, images_retrain_so_far,
    images_so_far / images_retrain_so_far as compute_share_so_far
from added a left join leaderboard b using (study, scenario, row)
order by {scenario_of("a").replace("a.scenario", "stream").replace("a.forget, ", "")}, a.row <> 'original',
    a.row <> 'oracle', a.row, step
""",
)
