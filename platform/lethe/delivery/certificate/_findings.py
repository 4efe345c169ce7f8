"""What was found, from the rows of the views: audits, the gap, the clinic, the cost."""

from collections import defaultdict

from lethe.delivery.certificate._asked import Asked
from lethe.delivery.certificate._document import (
    AuditFinding,
    ClinicalFinding,
    CostSection,
    GapSection,
    RowMeasures,
    Stage,
)
from lethe.results.views import CLINICAL_PREFIX, AuditVerdictRow, ClinicalRow, DetectionRow, LeaderboardRow

DELIVERED = "delivered"
"""How certificates name the row of the delivered model by itself."""


def audit_findings(asked: Asked) -> list[AuditFinding]:
    """Return what each statistic says of the setting and of the delivered model, beside originals and oracles."""
    means = {(one.row, _statistic(one)): one.mean for one in asked.audits}
    own = {_statistic(one): one for one in asked.detections}
    return [_finding(one, means, own.get(_statistic(one))) for one in asked.of_row(asked.row)]


def gap_section(asked: Asked) -> GapSection:
    """Return how far the setting is from retraining."""
    line = asked.line
    rows = [_measures(one) for name in ("original", "oracle", asked.row) if (one := asked.lines.get(name))]
    four = {name: asked.delivered.get((name, None)) for name in ("ua", "ra", "ta", "mia", "gap")}
    return GapSection(
        seeds=line.seeds,
        noise_floor=line.noise_floor,
        noise_floor_low=line.noise_floor_low,
        noise_floor_high=line.noise_floor_high,
        excess=line.excess,
        excess_low=line.excess_low,
        excess_high=line.excess_high,
        excess_upper=line.excess_upper,
        verdict=line.verdict,
        rows=[*rows, RowMeasures(row=DELIVERED, **four, gap_low=None, gap_high=None)],
    )


def clinical_findings(asked: Asked) -> list[ClinicalFinding]:
    """Return what a clinic sees of the setting, statistic by statistic."""
    means = {(one.row, one.statistic, one.class_index): one.mean for one in asked.clinical}
    own = [one for one in asked.clinical if one.row == asked.row]
    return [_clinical(one, means.get(("original", one.statistic, one.class_index)), asked) for one in own]


def cost_section(asked: Asked) -> CostSection:
    """Return what the model cost, beside retraining, and the study on the way to it."""
    line, oracle = asked.line, asked.lines.get("oracle")
    stages: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for one in asked.costs:
        if one.stage not in ("search", "confirmation") or one.method in (line.method, "original", "oracle", "dose"):
            stages[one.stage].append((one.units, one.seconds))
    return CostSection(
        unlearning_seconds=line.seconds_unlearn,
        retraining_seconds=oracle.seconds_unlearn if oracle else None,
        image_share=line.compute_share,
        tuning_seconds=line.tuning_seconds,
        tuning_trials=line.tuning_trials,
        stages=[
            Stage(stage=name, units=sum(units for units, _ in parts), seconds=sum(seconds for _, seconds in parts))
            for name, parts in stages.items()
        ],
    )


_Statistic = tuple[str, int, str | None, int | None]


def _statistic(one: AuditVerdictRow | DetectionRow) -> _Statistic:
    return one.metric, one.version, one.split, one.class_index


def _finding(
    one: AuditVerdictRow, means: dict[tuple[str, _Statistic], float], own: DetectionRow | None
) -> AuditFinding:
    return AuditFinding(
        audit=one.audit,
        statistic=one.metric,
        looks_at=one.looks_at,
        split=one.split,
        class_index=one.class_index,
        test=one.test,
        mean=one.mean,
        low=None if one.test == "p-value" else one.low,
        high=None if one.test == "p-value" else one.high,
        p_holm=one.p_holm,
        verdict=one.verdict or "inconclusive",
        originals=means.get(("original", _statistic(one))),
        oracles=means.get(("oracle", _statistic(one))),
        power=one.power,
        false_alarms=one.false_positive_rate,
        oracles_counted=one.oracles,
        delivered=own.value if own else None,
        delivered_p_holm=own.p_holm if own else None,
    )


def _measures(line: LeaderboardRow) -> RowMeasures:
    return RowMeasures(
        row=line.row,
        ua=line.ua,
        ra=line.ra,
        ta=line.ta,
        mia=line.mia,
        gap=line.gap,
        gap_low=line.gap_low,
        gap_high=line.gap_high,
    )


def _clinical(one: ClinicalRow, original: float | None, asked: Asked) -> ClinicalFinding:
    return ClinicalFinding(
        statistic=one.statistic,
        class_index=one.class_index,
        original=original,
        oracle=one.oracle_mean,
        setting=one.mean,
        low=one.total_low,
        high=one.total_high,
        difference=one.difference,
        difference_low=one.difference_low,
        difference_high=one.difference_high,
        delivered=asked.delivered.get((f"{CLINICAL_PREFIX}{one.statistic}", one.class_index)),
    )
