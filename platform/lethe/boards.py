"""The boards of a specification: which confirmations its tables are made of, written down at each of its runs.

A setting on a seed is confirmed once, and a study that is edited keeps its name. So a table cannot be found by the
study's name: the rows of other files that were run under it would stand in it too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lethe.confirm import confirmations
from lethe.results import BoardRow, TrialRow
from lethe.results.columns import specification
from lethe.study import Cell, Question, Study
from unlearning.training import Recipe


def board_rows(cells: Sequence[Cell], trials: Sequence[TrialRow]) -> list[BoardRow]:
    """Make the rows of the boards of one study's cells, as far as settings are chosen.

    A row whose setting is still to be found has no confirmation yet.
    """
    study = cells[0].study
    common: dict[str, Any] = {
        "study": study.name,
        "specification_id": specification(study).specification_id,
        "run_at": datetime.now(UTC),
        "margin": study.margin,
        "tuning_seeds": list(study.seeds.tuning),
    }
    chosen = confirmations(cells, trials)
    found = [
        BoardRow(
            **common,
            **_identity(one.question),
            **one.tuning,
            row=one.row,
            method=one.setting["method"],
            training_seed=one.seed,
            role=one.role,
            confirmation_id=one.confirmation_id,
            cell=one.cell.fingerprint if one.cell else None,
            planned_trials=one.cell.trials if one.cell else None,
        )
        for one in chosen
    ]
    having = {one.cell.fingerprint for one in chosen if one.cell}
    return [*found, *_awaited((cell for cell in cells if cell.fingerprint not in having), study, common)]


def are_current(rows: Sequence[BoardRow], stored: Sequence[BoardRow]) -> bool:
    """Return whether a study's stored boards show these rows already: its last run had these."""
    latest = max((row.run_at for row in stored), default=None)
    shown = [replace(row, run_at=rows[0].run_at) for row in stored if row.run_at == latest]
    return sorted(map(str, shown)) == sorted(map(str, rows))


def _awaited(cells: Iterable[Cell], study: Study, common: dict[str, Any]) -> Iterable[BoardRow]:
    """Make the rows of cells that have no setting to confirm."""
    for cell in cells:
        example = cell.choice.example
        for name in (example.name, *(f"{example.name} {control}" for control in example.controls())):
            for seed in study.seeds.reporting:
                yield BoardRow(
                    **common,
                    **_identity(cell.question),
                    row=name,
                    method=example.name,
                    training_seed=seed,
                    role="reporting",
                    cell=cell.fingerprint,
                    planned_trials=cell.trials,
                )


def _identity(question: Question) -> dict[str, Any]:
    return {
        "question": question.fingerprint,
        "data_hash": question.data_hash,
        "forget_hash": question.forget_hash,
        "recipe": question.recipe_id,
        "training": _in_words(question.recipe),
    }


def _in_words(recipe: Recipe) -> str:
    return f"{recipe.epochs} epochs, batch {recipe.batch_size}, lr {recipe.lr:g}, {recipe.schedule.kind}"
