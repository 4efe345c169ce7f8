"""The table of each scenario: every row with its gap over the reporting seeds, and how far it is above the noise floor.

The *gap* of a row is paired: each model against the oracle of its own seed, with which it shares initial weights and
order. The noise floor is a gap between oracles of different seeds, so no paired gap may be compared with it. The
*excess* may: for each seed, how far the model is from the oracles of the other seeds, minus how far its own oracle is
from them. It is zero in expectation for a model that is distributed as the oracles are.

Excess and floor are means over pairs of seeds, and pairs that share a seed are not independent. So their intervals are
jackknives: every seed is left out in turn, with the model and the oracle that it has. Where that changes nothing, as
with few images it may, the error is taken for what a step of one seed's gap would make it.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import ALIKE, FEWEST, SCENARIO, ScenarioOf, View, clipped, half_width, spread_of_gaps


@dataclass(frozen=True, kw_only=True)
class _Line:
    specification_id: Annotated[
        str | None, Column("", "fingerprint of the specification; null in results of an early version")
    ]
    row: Annotated[str, Column("", "'original' (do nothing), 'oracle' (noise floor), a method, or a method's control")]
    method: Annotated[str, Column("", "unlearning method; 'original' and 'oracle' for the rows without one")]
    untuned: Annotated[bool, Column("", "whether it is a control at its method's setting, without a search of its own")]
    seeds: Annotated[int, Column("", "reporting seeds that are confirmed, one original and one oracle each")]
    seeds_wanted: Annotated[int, Column("", "reporting seeds of the specification")]
    status: Annotated[
        str, Column("", "'done', 'incomplete' with seeds to come, or how a run ended; gap is null unless done")
    ]
    ua: Annotated[float | None, Column("fraction", "unlearning accuracy, mean over the seeds")]
    ra: Annotated[float | None, Column("fraction", "accuracy on the retain set, mean over the seeds")]
    ta: Annotated[float | None, Column("fraction", "accuracy on the test split, mean over the seeds")]
    mia: Annotated[float | None, Column("fraction", "MIA-efficacy, mean over the seeds")]
    mia_balanced_accuracy: Annotated[
        float | None, Column("fraction", "how often the attack itself is right, mean over the seeds; 0.5 is by chance")
    ]
    auc: Annotated[float | None, Column("fraction", "area under the ROC curve on the test split, mean over the seeds")]
    tow: Annotated[float | None, Column("fraction", "tug of war, mean over the seeds")]
    gap: Annotated[
        float | None,
        Column(
            "fraction",
            "mean over seeds of the mean absolute difference to the paired oracle: UA, RA, TA and MIA; of the oracle: "
            "the noise floor",
        ),
    ]
    gap_low: Annotated[float | None, Column("fraction", f"lower end of its 95 % interval; null below {FEWEST} seeds")]
    gap_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    noise_floor: Annotated[
        float | None, Column("fraction", "gap between oracles of different seeds, over every pair of the board's")
    ]
    noise_floor_low: Annotated[
        float | None, Column("fraction", f"lower end of its 95 % interval (jackknife); null below {FEWEST} oracles")
    ]
    noise_floor_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    noise_floor_seeds: Annotated[int, Column("", "oracles that the noise floor is taken over, the tuning seeds' too")]
    excess: Annotated[
        float | None,
        Column("fraction", "gap to the oracles of the other seeds, minus the paired oracle's own; 0 for retraining"),
    ]
    excess_low: Annotated[
        float | None, Column("fraction", f"lower end of its 95 % interval (jackknife); null below {FEWEST} seeds")
    ]
    excess_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    excess_upper: Annotated[float | None, Column("fraction", "upper end of its 90 % interval, held to the margin")]
    margin: Annotated[
        float | None, Column("fraction", "excess below which a row is equivalent, fixed by the study beforehand")
    ]
    verdict: Annotated[
        str | None,
        Column(
            "",
            "'above the floor' (excess_low > 0), 'equivalent' (excess_upper < margin, and nearer than doing nothing), "
            f"'inconclusive', or 'too few seeds' (below {FEWEST}); null for the oracle and without a gap",
        ),
    ]
    seeds_to_decide: Annotated[
        int | None,
        Column("", "seeds that would decide, if mean and spread are what they seem; null if decided, or above 100"),
    ]
    seconds_unlearn: Annotated[float | None, Column("s", "time of one unlearning, for the oracle of one retraining")]
    retrain_share: Annotated[
        float | None, Column("fraction", "that time as a share of one retraining, on the machines as they were then")
    ]
    compute_share: Annotated[
        float | None, Column("fraction", "images trained on as a share of those of one retraining; the same anywhere")
    ]
    tuning_trials: Annotated[int | None, Column("trials", "trials of the search that chose the setting")]
    tuning_raced: Annotated[
        int | None, Column("trials", "those of them that ran a setting again, on a further tuning seed")
    ]
    tuning_seconds: Annotated[float | None, Column("s", "time of that search, its trials' seconds added")]
    method_search: Annotated[
        str | None, Column("", "fingerprint of the method search; null for rows that belong to no search")
    ]
    trial_id: Annotated[str | None, Column("", "trial that chose the setting")]
    setting: Annotated[str, Column("", "the setting, as JSON")]
    kept_epochs: Annotated[
        list[int] | None,
        Column("", "epoch that was measured, on each reporting seed; null without a run and in early results"),
    ]
    mia_nonmembers: Annotated[str, Column("", "split that the attack takes non-members from")]
    attack_classes: Annotated[
        str | None, Column("", "classes of the attack's members and non-members, as in confirmations")
    ]
    task: Annotated[str | None, Column("", "what the labels mean, as in confirmations")]
    forget_images: Annotated[int, Column("images", "number of train images that are to be forgotten")]
    has_oracles: Annotated[
        bool,
        Column("", "whether there are oracles; if not, no recipe is known to train them by, and nothing has a gap"),
    ]
    training: Annotated[str | None, Column("", "how originals and oracles are trained, in words")]
    training_repeats: Annotated[
        bool | None, Column("", "whether a training function of the user's repeats by its seed, as in confirmations")
    ]
    reporting_seeds: Annotated[list[int], Column("", "the reporting seeds that are confirmed")]
    tuning_seeds: Annotated[list[int] | None, Column("", "training seeds that the search saw")]
    tuned_in: Annotated[
        str | None,
        Column("", "study whose search chose the setting, as a settings file says; null where no file gave it"),
    ]
    tuned_on_other_data: Annotated[
        bool | None, Column("", "whether that search saw other images or labels; null where no file gave the setting")
    ]


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow(_Line, ScenarioOf):
    """One row of one scenario's table."""


_MEASURES: Final = ("ua", "ra", "ta", "mia", "mia_balanced_accuracy", "auc", "tow")

LEADERBOARD: Final = View(
    "The table of each scenario: gaps to retraining, the noise floor and the excess over it, doing nothing, controls.",
    LeaderboardRow,
    f"""
with distances as (
    select m.study, m.scenario, m.row, m.training_seed, o.training_seed as other, m.forget_images,
        (abs(m.ua - o.ua) + abs(m.ra - o.ra) + abs(m.ta - o.ta) + abs(m.mia - o.mia)) / 4 as distance
    from compared m join compared o using (study, scenario, mia_nonmembers)
    where o.row = 'oracle' and m.training_seed <> o.training_seed
),
pairs as (
    select m.study, m.scenario, m.row, m.training_seed, other, m.forget_images,
        if(m.row = 'oracle', o.distance, m.distance - o.distance) as value
    from distances m join distances o using (study, scenario, training_seed, other)
    where o.row = 'oracle' and m.distance is not null and o.distance is not null
),
totals as (
    select study, scenario, row, sum(value) as total, count(*) as pairs, count(distinct training_seed) as models,
        1 / (4 * max(forget_images)) as step
    from pairs group by all
),
touched as (
    select study, scenario, row, seed, sum(value) as total, count(*) as pairs
    from (
        select study, scenario, row, training_seed as seed, value from pairs
        union all
        select study, scenario, row, other as seed, value from pairs
    )
    group by all
),
estimates as (
    select study, scenario, row, any_value(a.total / a.pairs) as mean, any_value(models) as models, count(*) as oracles,
        case when count(*) >= {FEWEST} and any_value(models) >= {FEWEST} then
            (count(*) - 1) / sqrt(count(*)) * stddev_samp((a.total - t.total) / nullif(a.pairs - t.pairs, 0))
        end as jackknife,
        if(jackknife < {ALIKE}, any_value(step) / count(*), jackknife) as error
    from totals a join touched t using (study, scenario, row)
    group by study, scenario, row
),
excesses as (
    select study, scenario, row, mean as excess, models as excess_seeds, oracles as excess_oracles,
        error as excess_error, t_quantile(oracles, 0.975) * error as excess_reach
    from estimates where row <> 'oracle'
),
jackknifed as (
    select study, scenario, oracles as noise_floor_seeds, mean as noise_floor,
        t_quantile(oracles, 0.975) * error as floor_reach
    from estimates where row = 'oracle'
),
floors as (
    select *,
        {clipped("noise_floor - floor_reach", 0, 1)} as noise_floor_low,
        {clipped("noise_floor + floor_reach", 0, 1)} as noise_floor_high
    from jackknifed
),
lines as (
    select {SCENARIO}, row,
        any_value(specification_id) as specification_id,
        any_value(method) as method,
        any_value(untuned) as untuned,
        any_value(tuned_in) as tuned_in,
        any_value(tuned_on_other_data) as tuned_on_other_data,
        count(*) as seeds,
        max(seeds_wanted) as seeds_wanted,
        coalesce(
            max(status) filter (status <> 'done'), if(count(*) < max(seeds_wanted), 'incomplete', 'done')
        ) as status,
        avg(ua) as ua, avg(ra) as ra, avg(ta) as ta, avg(mia) as mia,
        avg(mia_balanced_accuracy) as mia_balanced_accuracy, avg(auc) as auc, avg(tow) as tow,
        bool_or(oracle is not null) as has_oracles,
        count(if(oracle is null, ra, gap)) = max(seeds_wanted) as whole,
        avg(gap) as gap, {half_width("gap", spread_of_gaps("gap", "forget_images"))} as reach,
        any_value(margin) as margin,
        avg(seconds_unlearn) as seconds_unlearn,
        avg(retrain_share) as retrain_share,
        avg(compute_share) as compute_share,
        max(tuning_trials) as tuning_trials,
        arg_max(tuning_raced, tuning_trials) as tuning_raced,
        arg_max(tuning_seconds, tuning_trials) as tuning_seconds,
        any_value(method_search) as method_search,
        any_value(trial_id) as trial_id,
        arg_min(setting, training_seed) as setting,
        list(kept_epoch order by training_seed) filter (kept_epoch is not null) as kept_epochs,
        any_value(mia_nonmembers) as mia_nonmembers,
        any_value(attack_classes) as attack_classes,
        any_value(task) as task,
        max(forget_images) as forget_images,
        any_value(training) as training,
        bool_and(training_repeats) as training_repeats,
        list(training_seed order by training_seed) as reporting_seeds,
        any_value(tuning_seeds) as tuning_seeds
    from confirmed
    group by {SCENARIO}, row
),
judged as (
    select *,
        {clipped("excess - excess_reach", -1, 1)} as excess_low,
        {clipped("excess + excess_reach", -1, 1)} as excess_high,
        excess + t_quantile(excess_oracles, 0.95) * excess_error as excess_upper,
        max(gap) filter (row = 'original' and whole) over (partition by study, scenario) as untouched
    from lines left join excesses using (study, scenario, row)
)
select {SCENARIO}, specification_id, row, method, untuned, seeds, seeds_wanted, status,
    {", ".join(f"case when whole then {name} end as {name}" for name in _MEASURES)},
    case when row = 'oracle' then noise_floor when whole then gap end as gap,
    case when row = 'oracle' then noise_floor_low when whole then {clipped("gap - reach", 0, 1)} end as gap_low,
    case when row = 'oracle' then noise_floor_high when whole then {clipped("gap + reach", 0, 1)} end as gap_high,
    noise_floor, noise_floor_low, noise_floor_high,
    coalesce(noise_floor_seeds, 0) as noise_floor_seeds,
    case when whole then excess end as excess,
    case when whole then excess_low end as excess_low,
    case when whole then excess_high end as excess_high,
    case when whole then excess_upper end as excess_upper,
    margin,
    case when not whole or excess is null then null
        when excess_seeds < {FEWEST} then 'too few seeds'
        when excess_low > 0 then 'above the floor'
        when excess_upper < margin and gap < untouched then 'equivalent'
        else 'inconclusive' end as verdict,
    case when whole and not coalesce(excess_low > 0 or (excess_upper < margin and gap < untouched), false)
        then excess_seeds - excess_oracles + seeds_to_decide(
            excess, excess_error * sqrt(excess_oracles), excess_oracles, if(gap < untouched, margin, null)
        ) end as seeds_to_decide,
    seconds_unlearn, retrain_share, compute_share, tuning_trials, tuning_raced, tuning_seconds,
    method_search, trial_id, setting, kept_epochs,
    mia_nonmembers, attack_classes, task, forget_images, has_oracles, training, training_repeats, reporting_seeds,
    tuning_seeds, tuned_in, tuned_on_other_data
from judged left join floors using (study, scenario)
order by study, dataset, augmentation, forget, scenario, row <> 'original', row <> 'oracle', row
""",
)
