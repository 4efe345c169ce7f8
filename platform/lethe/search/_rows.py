"""From what workers report to the rows of a trial."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, cast

from optuna.distributions import distribution_to_json

from lethe.execution.failures import Failure
from lethe.results import EpochRow, TrialRow
from lethe.results.columns import kept_options, scenario_columns, setting_columns
from lethe.results.provenance import Provenance
from lethe.search._epoch_report import Report, Status
from lethe.search._optuna import Proposal
from lethe.search._space import distributions_of
from lethe.study import Keep, MethodSearch
from unlearning.evaluation import Measures


def trial_id(method_search: MethodSearch, number: int, round: int = 0) -> str:
    """Return a trial's name, the same in every run of its study; of a later round with the seed that it adds."""
    of_seed = f"-seed{method_search.rounds[round][0]}" if round else ""
    return f"{method_search.study.name}-{method_search.fingerprint[:8]}-{number:04d}{of_seed}"


def trial_row(
    proposal: Proposal,
    reports: Sequence[Report],
    status: Status,
    error: str | None,
    cause: Failure | None,
    losses: int,
) -> TrialRow:
    """Make the row of a trial that ended, from its reports in the order of epochs; there may be none if it failed.

    Args:
        losses: how many workers it lost before.
    """
    method_search, scenario, study = (
        proposal.method_search,
        proposal.method_search.scenario,
        proposal.method_search.study,
    )
    now = datetime.now(UTC)
    last = reports[-1] if reports else None
    kept = kept_report(reports, method_search.choice.keep, status)
    return TrialRow(
        **scenario_columns(study.name, scenario, proposal.seeds[0]),
        **setting_columns(method_search.method_at(proposal.setting), kept_options(method_search.choice.keep)),
        **asdict(last.provenance if last else Provenance()),
        **_compared(last),
        **_measured(kept.measures if kept else None),
        trial_id=trial_id(method_search, proposal.number, proposal.round),
        method_search=method_search.fingerprint,
        number=proposal.number,
        study_seed=study.seed,
        training_seeds=list(proposal.seeds),
        unlearning_seeds=[scenario.unlearning_seed(seed) for seed in proposal.seeds],
        status=cast(Any, status),
        error=error,
        attack_classes=scenario.attack_classes,
        cause=cause,
        losses=losses,
        search_space=_search_space(method_search),
        proposed_by=proposal.proposed_by,
        prior_from=proposal.prior_from,
        round=proposal.round,
        epochs_done=last.epoch if last else 0,
        gap=kept.gap if kept and kept.measures else None,
        gap_per_seed=list(kept.gap_per_seed) if kept else [],
        kept_epochs=list(kept.kept) if kept else [],
        ua_gap=kept.ua_gap if kept else None,
        va_drop=kept.va_drop if kept else None,
        compute_share=kept.compute if kept else None,
        objectives=list(study.search.objectives),
        fused=last.fused if last else None,
        gap_per_epoch=_curve(reports) if method_search.choice.keep == "best" else None,
        seconds_load=sum(report.seconds_load for report in reports),
        seconds_unlearn=sum(report.seconds_unlearn for report in reports),
        seconds_evaluate=sum(report.seconds_evaluate for report in reports),
        seconds_attack=sum(report.seconds_attack for report in reports),
        seconds_total=(last.ended_at - last.started_at).total_seconds() if last else 0.0,
        started_at=last.started_at if last else now,
        ended_at=last.ended_at if last else now,
    )


def kept_report(reports: Sequence[Report], keep: Keep, status: Status) -> Report | None:
    """Return the report of the epoch that counts: the last one, or the best, the earlier of two equal ones.

    Of a trial that ended otherwise than done the last one counts. None where there is none.
    """
    if keep == "best" and status == "done":
        return min(reports, key=lambda report: (report.gap, report.epoch))
    return reports[-1] if reports else None


def _curve(reports: Sequence[Report]) -> list[float]:
    return [gap for report in reports if report.measures for gap in report.gap_per_seed]


def epoch_rows(trial: TrialRow, reports: Sequence[Report]) -> list[EpochRow]:
    """Make the rows of a trial's epochs."""
    return [
        EpochRow(
            study=trial.study,
            trial_id=trial.trial_id,
            method_search=trial.method_search,
            epoch=report.epoch,
            loss=report.loss,
            gap=report.gap if report.measures else None,
            gap_per_seed=list(report.gap_per_seed),
            **_measured(report.measures),
            seconds_unlearn=report.seconds_unlearn,
            seconds_evaluate=report.seconds_evaluate,
            seconds_attack=report.seconds_attack,
        )
        for report in reports
    ]


def repeated_row(proposal: Proposal, first: TrialRow, epochs: Sequence[EpochRow]) -> tuple[TrialRow, list[EpochRow]]:
    """Make the rows of a trial whose setting was tried before: the first one's measures, at no cost."""
    name = trial_id(proposal.method_search, proposal.number)
    free = {"seconds_load": 0.0, "seconds_unlearn": 0.0, "seconds_evaluate": 0.0, "seconds_attack": 0.0}
    row = replace(
        first,
        trial_id=name,
        number=proposal.number,
        proposed_by=proposal.proposed_by,
        prior_from=proposal.prior_from,
        copied_from=first.trial_id,
        seconds_total=0.0,
        **cast(Any, free),
    )
    del free["seconds_load"]
    return row, [replace(epoch, trial_id=name, **cast(Any, free)) for epoch in epochs]


def _search_space(method_search: MethodSearch) -> str:
    space = {name: json.loads(distribution_to_json(one)) for name, one in distributions_of(method_search).items()}
    return json.dumps(space)


def _measured(measures: Measures | None) -> dict[str, Any]:
    return asdict(measures) if measures else {}


def _compared(last: Report | None) -> dict[str, Any]:
    if last is None or last.reference is None:
        return {"originals": [], "oracles": []}
    reference = last.reference
    oracle = {f"oracle_{name}": value for name, value in asdict(reference.oracle).items()}
    return {
        **oracle,
        "original_gap": reference.original_gap,
        "threshold": reference.threshold,
        "originals": list(reference.originals),
        "oracles": list(reference.oracles),
    }
