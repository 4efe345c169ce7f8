"""The table of each question: every row with its gap over the reporting seeds, the interval and the noise floor."""

from dataclasses import dataclass
from typing import Annotated, Final

from lethe.results.schema import Column
from lethe.results.views._base import QUESTION, QuestionOf, View, half_width


@dataclass(frozen=True, kw_only=True)
class _Line:
    row: Annotated[str, Column("", "'original' (do nothing), 'oracle' (noise floor), a method, or a method's control")]
    method: Annotated[str, Column("", "unlearning method; 'original' and 'oracle' for the rows without one")]
    seeds: Annotated[int, Column("", "reporting seeds, one original and one oracle each")]
    status: Annotated[str, Column("", "'done', or how a run that is not done ended; then gap is null")]
    ua: Annotated[float | None, Column("fraction", "unlearning accuracy, mean over the seeds")]
    ra: Annotated[float | None, Column("fraction", "accuracy on the retain set, mean over the seeds")]
    ta: Annotated[float | None, Column("fraction", "accuracy on the test split, mean over the seeds")]
    mia: Annotated[float | None, Column("fraction", "MIA-efficacy, mean over the seeds")]
    auc: Annotated[float | None, Column("fraction", "area under the ROC curve on the test split, mean over the seeds")]
    tow: Annotated[float | None, Column("fraction", "tug of war, mean over the seeds")]
    gap: Annotated[
        float | None,
        Column("fraction", "mean over seeds of the mean absolute difference to the paired oracle: UA, RA, TA and MIA"),
    ]
    gap_low: Annotated[
        float | None,
        Column("fraction", "lower end of its 95 % interval; null with one seed, and for the oracle"),
    ]
    gap_high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    noise_floor: Annotated[float | None, Column("fraction", "gap between oracles of different seeds")]
    at_floor: Annotated[
        bool, Column("", "whether the interval reaches the noise floor: not told apart from retraining")
    ]
    seconds_unlearn: Annotated[float | None, Column("s", "time of one unlearning, for the oracle of one retraining")]
    retrain_share: Annotated[float | None, Column("fraction", "that time as a share of one retraining")]
    tuning_trials: Annotated[int | None, Column("trials", "trials of the search that chose the setting")]
    tuning_seconds: Annotated[float | None, Column("s", "time of that search, its trials' seconds added")]
    cell: Annotated[str | None, Column("", "fingerprint of the cell; null for rows that belong to no search")]
    trial_id: Annotated[str | None, Column("", "trial that chose the setting")]
    setting: Annotated[str, Column("", "the setting, as JSON")]


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow(_Line, QuestionOf):
    """One row of one question's table."""


LEADERBOARD: Final = View(
    "The table of each question: gaps to retraining with their interval, the noise floor, doing nothing, the controls.",
    LeaderboardRow,
    f"""
with lines as (
    select {QUESTION}, row,
        any_value(method) as method,
        count(*) as seeds,
        coalesce(max(status) filter (status <> 'done'), 'done') as status,
        avg(ua) as ua, avg(ra) as ra, avg(ta) as ta, avg(mia) as mia, avg(auc) as auc, avg(tow) as tow,
        case when count(gap) = count(*) then avg(gap) end as gap,
        case when row <> 'oracle' and count(gap) = count(*) then {half_width("gap")} end as reach,
        avg(seconds_unlearn) as seconds_unlearn,
        avg(retrain_share) as retrain_share,
        max(tuning_trials) as tuning_trials,
        arg_max(tuning_seconds, tuning_trials) as tuning_seconds,
        any_value(cell) as cell,
        any_value(trial_id) as trial_id,
        arg_min(setting, training_seed) as setting
    from confirmed
    group by {QUESTION}, row
)
select {QUESTION}, row, method, seeds, status, ua, ra, ta, mia, auc, tow, gap,
    gap - reach as gap_low,
    gap + reach as gap_high,
    noise_floor,
    row <> 'oracle' and coalesce(least(gap, gap - reach) <= noise_floor, false) as at_floor,
    seconds_unlearn, retrain_share, tuning_trials, tuning_seconds, cell, trial_id, setting
from lines left join (
    select study, question, gap as noise_floor from lines where row = 'oracle'
) using (study, question)
order by study, dataset, arm, forget, question, row <> 'original', row <> 'oracle', row
""",
)


@dataclass(frozen=True, kw_only=True)
class _Contrast:
    first: Annotated[str, Column("", "a method")]
    second: Annotated[str, Column("", "what it is held against: the original, or one of its own controls")]
    seeds: Annotated[int, Column("", "reporting seeds that both have")]
    difference: Annotated[
        float,
        Column("fraction", "gap of the first less the second's, paired by seed; below 0 the first is closer"),
    ]
    low: Annotated[float | None, Column("fraction", "lower end of its 95 % interval; null with one seed")]
    high: Annotated[float | None, Column("fraction", "upper end of the same interval")]
    verdict: Annotated[str, Column("", "'closer' to the oracle, 'farther', 'not told apart', or 'from one seed'")]


@dataclass(frozen=True, kw_only=True)
class ContrastRow(_Contrast, QuestionOf):
    """How much farther from the oracle one row is than another."""


CONTRASTS: Final = View(
    "Each method against doing nothing and against its own controls: the difference of the gaps, paired by seed.",
    ContrastRow,
    f"""
with whole as (select study, question, row from confirmed group by all having count(gap) = count(*)),
gaps as (
    select {QUESTION}, row, method, training_seed, gap from confirmed semi join whole using (study, question, row)
),
paired as (
    select {", ".join(f"a.{name.strip()}" for name in QUESTION.split(","))}, a.row as first, b.row as second,
        count(*) as seeds,
        avg(a.gap - b.gap) as difference,
        {half_width("a.gap - b.gap")} as reach
    from gaps a join gaps b using (study, question, training_seed)
    where a.row = a.method and a.row not in ('original', 'oracle')
        and (b.row = 'original' or (b.method = a.method and b.row <> a.row))
    group by all
)
select {QUESTION}, first, second, seeds, difference,
    difference - reach as low,
    difference + reach as high,
    case when reach is null then 'from one seed'
        when difference + reach < 0 then 'closer'
        when difference - reach > 0 then 'farther'
        else 'not told apart' end as verdict
from paired
order by study, dataset, arm, forget, question, first, second <> 'original', second
""",
)
