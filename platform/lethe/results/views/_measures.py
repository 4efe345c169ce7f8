"""Every measure of every unit, long: as it was recorded, or from the columns of older units."""

from typing import Final

from lethe.results.metric_columns import CLASS_COLUMNS, METRIC_COLUMNS, METRIC_GROUPS
from lethe.results.rows import MeasureRow
from lethe.results.views._base import View

_SEARCHED: Final = "ua, ra, va, mia, gap"
_SPLITS: Final = " ".join(f"when '{metric}' then '{group}'" for metric, group in METRIC_GROUPS.items() if group)
_BY_CLASS: Final = " union all ".join(
    f"select study, unit_id, training_seed, '{metric}' as metric, unnest({column}) as value, "
    f"generate_subscripts({column}, 1) - 1 as class_index from without_measures"
    for column, metric in CLASS_COLUMNS.items()
)

MEASURES: Final = View(
    "Every measure of every confirmation, trial and epoch of a trial: one row for each value of each metric.",
    MeasureRow,
    f"""
with of_epochs as (
    unpivot (select study, 'epoch' as unit_kind, trial_id as unit_id, epoch, {_SEARCHED} from epochs)
    on {_SEARCHED} into name metric value value
),
of_trials as (
    unpivot (
        select study, 'trial' as unit_kind, trial_id as unit_id,
            if(len(training_seeds) = 1, training_seeds[1], null) as training_seed, {_SEARCHED}
        from trials
    )
    on {_SEARCHED} into name metric value value
),
without_measures as (
    select *, confirmation_id as unit_id from confirmations
    where status = 'done' and confirmation_id not in (select unit_id from recorded_measures)
),
of_confirmations as (
    select study, 'confirmation' as unit_kind, unit_id, training_seed, metric, value, class_index
    from (
        from (
            unpivot (select study, unit_id, training_seed, {", ".join(METRIC_COLUMNS)} from without_measures)
            on {", ".join(METRIC_COLUMNS)} into name metric value value
        )
        union all by name {_BY_CLASS}
    )
),
from_columns as (from of_epochs union all by name from of_trials union all by name from of_confirmations)
from recorded_measures
union all
select study, unit_kind, unit_id, epoch, training_seed, metric, null as version, null as package,
    case metric {_SPLITS} end as split, class_index, value, null as low, null as high, null as n,
    null as audit, null as looks_at, null as test
from from_columns
""",
)
