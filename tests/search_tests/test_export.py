"""Searches as Optuna studies: how a trial's ending is written for other samplers and dashboards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import FloatDistribution, distribution_to_json
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from lethe.results import EpochRow, Store, TrialRow, load
from lethe.search import export

SPACE = json.dumps({"lr": json.loads(distribution_to_json(FloatDistribution(1e-3, 1e-1, log=True)))})


def test_a_diverged_trial_is_exported_as_optuna_learnt_of_it_and_its_row_stays(
    store: Store, make: Callable[..., Any], tmp_path: Path
) -> None:
    for number, (status, gap) in enumerate([("done", 0.2), ("diverged", None), ("stopped", 0.3), ("failed", None)]):
        name = f"t{number}"
        row = make(TrialRow, trial_id=name, number=number, status=status, gap=gap, search_space=SPACE, epochs_done=1)
        epochs = [make(EpochRow, trial_id=name, gap=gap)] if gap is not None else []
        store.append_trial(row, epochs)
    path = str(tmp_path / "optuna.journal")
    [exported] = export(store.root, path)
    study = optuna.load_study(study_name=exported.name, storage=JournalStorage(JournalFileBackend(path)))
    assert [(trial.state, trial.value, trial.user_attrs["status"]) for trial in study.trials] == [
        (TrialState.COMPLETE, 0.2, "done"),
        (TrialState.COMPLETE, 1.0, "diverged"),
        (TrialState.PRUNED, None, "stopped"),
        (TrialState.FAIL, None, "failed"),
    ]
    assert load(store.root, "trials").sort_by("number")["gap"].to_pylist() == [0.2, None, 0.3, None]


def test_an_exported_trial_has_its_gaps_in_the_race_and_is_no_further_trial(
    store: Store, make: Callable[..., Any], tmp_path: Path
) -> None:
    lr = {"setting": '{"name": "salun", "lr": 0.013}', "search_space": SPACE, "epochs_done": 0}
    store.append_trial(make(TrialRow, trial_id="t0", gap=0.2, training_seeds=[0], round=0, **lr), [])
    store.append_trial(make(TrialRow, trial_id="t0-seed4", gap=0.3, training_seeds=[4], round=1, **lr), [])
    path = str(tmp_path / "optuna.journal")
    [exported] = export(store.root, path)
    assert (exported.new, exported.unfit) == (1, 0)
    study = optuna.load_study(study_name=exported.name, storage=JournalStorage(JournalFileBackend(path)))
    [trial] = study.trials
    assert (trial.value, trial.user_attrs["race_gaps"]) == (0.2, {"4": 0.3})
