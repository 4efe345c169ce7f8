"""The boards of a specification: which confirmations its tables are made of, recorded at each of its runs.

A setting on a seed is confirmed once, and a study that is edited keeps its name. So a table cannot be found by the
study's name: rows of other files that were run under that name would be in it too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

from lethe.pipeline.confirm import Confirmation, confirmations
from lethe.results import BoardRow, TrialRow
from lethe.results.columns import specification
from lethe.study import MethodSearch, Scenario, Study
from unlearning.data.forget import StreamStep


def board_rows(method_searches: Sequence[MethodSearch], trials: Sequence[TrialRow]) -> list[BoardRow]:
    """Make the rows of the boards of one study's method searches, as far as settings are chosen.

    A row whose setting is still to be found has no confirmation yet.
    """
    study = method_searches[0].study
    common: dict[str, Any] = {
        "study": study.name,
        "specification_id": specification(study).specification_id,
        "run_at": datetime.now(UTC),
        "margin": study.margin,
    }
    chosen = confirmations(method_searches, trials)
    searched = study.seeds.tuning if any(one.trials for one in method_searches) else ()
    found = [
        BoardRow(
            **common,
            **_identity(one.scenario),
            **one.tuning,
            **_tuned(one, searched),
            row=one.row,
            method=one.setting["method"],
            training_seed=one.seed,
            role=one.role,
            confirmation_id=one.confirmation_id,
            method_search=one.method_search.fingerprint if one.method_search else None,
            planned_trials=one.choice.settings if one.choice else None,
            planned_seconds=study.search.seconds if one.method_search else None,
        )
        for one in chosen
    ]
    having = {one.method_search.fingerprint for one in chosen if one.method_search}
    return [
        *found,
        *_awaited(
            (method_search for method_search in method_searches if method_search.fingerprint not in having),
            study,
            common,
        ),
    ]


def are_current(rows: Sequence[BoardRow], stored: Sequence[BoardRow]) -> bool:
    """Return whether a study's stored boards show these rows already: its last run had these."""
    latest = max((row.run_at for row in stored), default=None)
    shown = [replace(row, run_at=rows[0].run_at) for row in stored if row.run_at == latest]
    return sorted(map(str, shown)) == sorted(map(str, rows))


def _awaited(method_searches: Iterable[MethodSearch], study: Study, common: dict[str, Any]) -> Iterable[BoardRow]:
    """Make the rows of method searches that have no setting to confirm."""
    for method_search in method_searches:
        rows = [(scenario, row) for scenario in method_search.scenarios for row in method_search.rows_in(scenario)]
        for (scenario, name), seed in product(rows, study.seeds.reporting):
            yield BoardRow(
                **common,
                **_identity(scenario),
                row=name,
                method=method_search.choice.name,
                training_seed=seed,
                role="reporting",
                tuning_seeds=list(study.seeds.tuning),
                method_search=method_search.fingerprint,
                planned_trials=method_search.trials,
                planned_seconds=study.search.seconds,
            )


def _tuned(confirmation: Confirmation, searched: Sequence[int]) -> dict[str, Any]:
    """Fill the columns on which seeds, and in which study, the setting of a row was chosen.

    Args:
        searched: the seeds that the study's own searches saw.
    """
    taken = confirmation.method_search.taken if confirmation.method_search else None
    if taken is None:
        return {"tuning_seeds": list(searched)}
    return {
        "tuning_seeds": list(taken.search.seeds),
        "tuned_in": taken.search.study,
        "tuned_data_hash": taken.tuned_on.data_hash,
    }


def _identity(scenario: Scenario) -> dict[str, Any]:
    return {
        "scenario": scenario.fingerprint,
        "data_hash": scenario.data_hash,
        "forget_hash": scenario.forget_hash,
        "recipe": scenario.recipe_id,
        "but_augmentation": scenario.but_augmentation,
        "training": scenario.named.training,
        "class_names": list(scenario.class_names),
        **_place_in_stream(scenario),
    }


def _place_in_stream(scenario: Scenario) -> dict[str, Any]:
    """Fill the columns of a scenario whose requests come one after another."""
    request = scenario.request
    if not isinstance(request, StreamStep):
        return {}
    return {"stream": scenario.first.fingerprint, "step": request.number, "steps": request.stream.count}
