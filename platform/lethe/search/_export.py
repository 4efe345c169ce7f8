"""Searches as Optuna studies in a storage of the user's choice, made from the rows alone."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from lethe.errors import InputError
from lethe.results import EpochRow, TrialRow, load, to_rows
from lethe.results.json_column import json_column
from lethe.results.objectives import objectives_of, point_of
from lethe.search._journal import open_journal
from lethe.search._optuna import as_optuna_learns
from lethe.storage.credentials import cut_credentials, without_credentials
from lethe.storage.root import StorageRoot


@dataclass(frozen=True)
class Exported:
    """What was written of one search.

    Attributes:
        name: of the Optuna study.
        new, known: trials that were written, and that were there already.
        unfit: trials of an early version, which did not record what was searched; they are not written.
    """

    name: str
    new: int
    known: int
    unfit: int


def export(root: StorageRoot, storage: str, study: str | None = None) -> Iterator[Exported]:
    """Write the searches of one study, or of all, into an Optuna storage; trials that it holds are not written again.

    Args:
        storage: an SQLAlchemy URL such as ``sqlite:///optuna.db``, or the path of a journal file.

    Raises:
        QueryError: no results in the place.
        InputError: the storage cannot be opened.
    """
    epochs: defaultdict[str, list[EpochRow]] = defaultdict(list)
    for epoch in to_rows(load(root, "epochs", study), EpochRow):
        epochs[epoch.trial_id].append(epoch)
    method_searches: defaultdict[tuple[str, str], list[TrialRow]] = defaultdict(list)
    for row in to_rows(load(root, "trials", study), TrialRow):
        method_searches[row.study, row.method_search].append(row)
    goal = _open(storage)
    for rows in method_searches.values():
        yield _export(sorted(rows, key=lambda row: row.number), epochs, goal)


def _open(storage: str) -> BaseStorage:
    try:
        if "://" in storage:
            return optuna.storages.get_storage(storage)
        return open_journal(Path(storage))
    except Exception as error:
        raise InputError(
            f"cannot open the Optuna storage {without_credentials(storage)}: {cut_credentials(str(error), storage)}"
        ) from None


def _export(rows: Sequence[TrialRow], epochs: dict[str, list[EpochRow]], storage: BaseStorage) -> Exported:
    first = rows[0]
    name = (
        f"{first.study}: {first.dataset}, augmentation {first.augmentation}, forget {first.forget}, {first.method} "
        f"({first.method_search[:8]})"
    )
    directions = [StudyDirection.MINIMIZE] * len(objectives_of(first))
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    present = {trial.user_attrs.get("trial_id") for trial in study.get_trials(deepcopy=False)}
    gaps: defaultdict[int, dict[str, float | None]] = defaultdict(dict)
    for row in rows:
        if row.round:
            gaps[row.number] |= {str(seed): row.gap for seed in row.training_seeds}
    tried = [row for row in rows if not row.round]
    fit = [row for row in tried if row.search_space is not None]
    new = [row for row in fit if row.trial_id not in present]
    study.add_trials([_trial(row, epochs[row.trial_id], gaps[row.number]) for row in new])
    return Exported(name, len(new), len(fit) - len(new), len(tried) - len(fit))


def _trial(row: TrialRow, epochs: Sequence[EpochRow], race_gaps: dict[str, float | None]) -> FrozenTrial:
    """Make the trial that a sampler learns from; its gaps on the seeds of the race are attributes of it."""
    space: dict[str, BaseDistribution] = {
        name: json_to_distribution(json.dumps(distribution))
        for name, distribution in json_column("search_space", row.search_space or "{}").items()
    }
    setting = json_column("setting", row.setting)
    objectives = objectives_of(row)
    state, point = as_optuna_learns(row.status, point_of(row, objectives), len(objectives))
    trial = optuna.create_trial(
        state=state,
        values=point,
        params={name: setting[name] for name in space},
        distributions=space,
        intermediate_values={
            epoch.epoch: epoch.gap for epoch in epochs if epoch.gap is not None and len(objectives) == 1
        },
        user_attrs={"trial_id": row.trial_id, "status": row.status, "original_gap": row.original_gap}
        | ({"race_gaps": race_gaps} if race_gaps else {}),
    )
    trial.datetime_start = row.started_at.astimezone().replace(tzinfo=None)
    trial.datetime_complete = row.ended_at.astimezone().replace(tzinfo=None)
    return trial
