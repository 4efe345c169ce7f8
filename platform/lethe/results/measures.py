"""From metrics and audits to rows: one row a value, and the columns of the usual metrics in a confirmation's own row.

Every value of every metric and audit is a row of ``recorded_measures``. The metrics that every table needs are also
columns of the unit's row, filled here from the same values: views that rank and compare read these, which is many times
faster than a pivot of the long rows (docs/design.md). A metric without a column needs none.
"""

import math
from collections.abc import Sequence
from typing import Any

from lethe.results.metric_columns import CLASS_COLUMNS, METRIC_COLUMNS
from lethe.results.rows import ConfirmationRow, MeasureRow
from unlearning.audits import AUDITS, Audit, Statistic
from unlearning.families import Package
from unlearning.metrics import BUILT_IN, METRICS, Measure, Metric


def measure_columns(measures: Sequence[Measure]) -> dict[str, Any]:
    """Fill the columns of a confirmation's row that hold measures; without any, those of a model that diverged."""
    if not measures:
        return {"recall_per_class": []}
    overall = {one.metric: _or_null(one.value.value) for one in measures if one.value.class_index is None}
    by_class = {
        column: [_or_null(one.value.value) for one in measures if one.metric == metric and _is_of_class(one)]
        for column, metric in CLASS_COLUMNS.items()
    }
    return {name: overall.get(name) for name in METRIC_COLUMNS} | by_class


def measure_rows(
    confirmation: ConfirmationRow,
    measures: Sequence[Measure],
    further: Sequence[Metric] = (),
    audits: Sequence[Audit] = (),
) -> list[MeasureRow]:
    """Make the rows of a confirmation's measures.

    Args:
        further: the metrics among them that are not built in.
        audits: those that the measures beyond the metrics are of.
    """
    packages = {metric.name: _named(METRICS.package_of(metric)) for metric in (*BUILT_IN.values(), *further)}
    of_audits = {name: (audit, statistic) for audit in audits for name, statistic in audit.metrics.items()}
    packages |= {name: _named(AUDITS.package_of(type(audit))) for name, (audit, _) in of_audits.items()}
    return [
        MeasureRow(
            study=confirmation.study,
            unit_kind="confirmation",
            unit_id=confirmation.confirmation_id,
            training_seed=confirmation.training_seed,
            metric=one.metric,
            version=one.version,
            package=packages[one.metric],
            split=one.value.group,
            class_index=one.value.class_index,
            value=_or_null(one.value.value),
            low=one.value.low,
            high=one.value.high,
            n=one.value.n,
            **_judging(of_audits.get(one.metric)),
        )
        for one in measures
    ]


def _judging(found_by: tuple[Audit, Statistic] | None) -> dict[str, Any]:
    """Fill the columns of what an audit found."""
    if found_by is None:
        return {}
    audit, statistic = found_by
    return {"audit": audit.name, "looks_at": audit.looks_at, "test": statistic.test}


def _named(package: Package | None) -> str | None:
    return str(package) if package else None


def _is_of_class(measure: Measure) -> bool:
    return measure.value.class_index is not None


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
