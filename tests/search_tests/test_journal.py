"""The journal for optuna-dashboard: what stands in it, and when an object store gets it."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from lethe.place import Place
from lethe.search import Journal
from lethe.search._journal import UPLOAD_S
from lethe.study import Cell, expand, read_study
from unlearning.data import load


@pytest.fixture
def cell(write_study: Callable[..., Path]) -> Cell:
    study = read_study(write_study())
    [cell] = expand(study, {source: load(source) for source in study.data})
    return cell


def ended(number: int) -> optuna.trial.FrozenTrial:
    trial = optuna.create_trial(state=TrialState.COMPLETE, value=0.1 * number, user_attrs={"status": "done"})
    trial.number = number
    return trial


def recorded(path: Path) -> list[int]:
    storage = JournalStorage(JournalFileBackend(str(path)))
    [study] = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=study, storage=storage).trials
    assert all(trial.user_attrs["status"] == "done" for trial in trials)
    return [trial.user_attrs["number"] for trial in trials]


def test_a_trial_is_written_once_however_often_it_is_told(cell: Cell, tmp_path: Path) -> None:
    for _ in range(2):
        record = Journal(Place.at(tmp_path), "tiny").recorder(cell)
        for number in range(3):
            record(ended(number))
    assert recorded(tmp_path / "optuna" / "tiny.journal") == [0, 1, 2]


def test_an_object_store_gets_the_journal_now_and_then_and_at_the_end(cell: Cell, tmp_path: Path) -> None:
    place = Place.at("mock:///results")
    place._filesystem.create_dir("results/optuna")
    journal = Journal(place, "tiny")
    now = 0.0
    journal._clock = lambda: now

    def sent() -> list[int]:
        path = tmp_path / f"{now}.journal"
        path.write_bytes(place.read("optuna/tiny.journal"))
        return recorded(path)

    record = journal.recorder(cell)
    record(ended(0))
    assert sent() == [0]
    for number in (1, 2):
        now += UPLOAD_S / 3
        record(ended(number))
    assert sent() == [0]
    now += UPLOAD_S / 3
    record(ended(3))
    assert sent() == [0, 1, 2, 3]
    now += UPLOAD_S / 3
    record(ended(4))
    journal.upload()
    assert sent() == [0, 1, 2, 3, 4]
