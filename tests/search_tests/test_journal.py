"""The journal for optuna-dashboard: what stands in it, and when an object store gets it."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from lethe.results import Store, TrialRow
from lethe.search import Journal, export
from lethe.search._journal import UPLOAD_S
from lethe.storage.root import StorageRoot
from lethe.study import MethodSearch, expand, read_study
from unlearning.data import load


@pytest.fixture
def method_search(write_study: Callable[..., Path]) -> MethodSearch:
    study = read_study(write_study())
    [method_search] = expand(study, {source: load(source) for source in study.data})
    return method_search


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


def test_a_trial_is_written_once_however_often_it_is_told(method_search: MethodSearch, tmp_path: Path) -> None:
    for _ in range(2):
        record = Journal(StorageRoot.at(tmp_path), "tiny").recorder(method_search)
        for number in range(3):
            record(ended(number))
    assert recorded(tmp_path / "optuna" / "tiny.journal") == [0, 1, 2]


RECORDS = {
    "null": b"null\n",
    "list": b"[]\n",
    "object": b"{}\n",
    "text": b'"x"\n',
    "binary": b"\xff\xfe\x00\n",
    "nested": b"[" * 100_000 + b"\n",
    "unknown operation": b'{"op_code": 99}\n',
    "operation as a text": b'{"op_code": "0"}\n',
    "study without a name": b'{"op_code": 0, "worker_id": "w"}\n',
    "study of no direction": b'{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [9]}\n',
    "trial of a list": b'{"op_code": 4, "worker_id": "w", "study_id": []}\n',
    "trial of nothing": b'{"op_code": 4, "worker_id": "w"}\n',
    "torn but ended": b'{"op_code": 4, "worker_id\n',
    "trial whose attributes are a text": b'{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}\n'
    b'{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": null, "user_attrs": "x"}\n',
    "study of two directions": b'{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1, 2]}\n',
    "study to maximise": b'{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [2]}\n',
    "long": b'{"op_code": 0, "study_name": "' + b"x" * (1 << 20) + b'"}\n',
}


def check_is_written_anew(root: StorageRoot, method_search: MethodSearch, broken: bytes) -> None:
    """The journal is moved to quarantine as it was, which is told, and holds what is recorded from then on."""
    journal = Journal(root, "tiny")
    [aside] = (Path(str(root)) / "optuna" / "quarantine").iterdir()
    assert aside.read_bytes() == broken
    assert f"the broken journal {root}/optuna/tiny.journal was moved to quarantine as {aside}: " in journal.problem
    record = journal.recorder(method_search)
    for number in range(3):
        record(ended(number))
    assert recorded(Path(str(root)) / "optuna" / "tiny.journal") == [0, 1, 2]
    assert Journal(root, "tiny").problem == ""


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("where", ["first", "last"])
def test_a_strange_record_has_the_journal_set_aside(
    method_search: MethodSearch, tmp_path: Path, record: bytes, where: str
) -> None:
    root, path = StorageRoot.at(tmp_path), tmp_path / "optuna" / "tiny.journal"
    Journal(root, "tiny").recorder(method_search)(ended(0))
    good = path.read_bytes()
    broken = record + good if where == "first" else good + record
    path.write_bytes(broken)
    check_is_written_anew(root, method_search, broken)


@pytest.mark.parametrize("lost", [1, 2, 20])
def test_a_journal_whose_last_line_is_torn_is_set_aside(method_search: MethodSearch, tmp_path: Path, lost: int) -> None:
    root, path = StorageRoot.at(tmp_path), tmp_path / "optuna" / "tiny.journal"
    Journal(root, "tiny").recorder(method_search)(ended(0))
    broken = path.read_bytes()[:-lost]
    path.write_bytes(broken)
    check_is_written_anew(root, method_search, broken)


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir], ids=["pipe", "device", "folder"]
)
def test_a_journal_that_is_no_file_is_set_aside(
    method_search: MethodSearch, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    (tmp_path / "optuna").mkdir()
    make(tmp_path / "optuna" / "tiny.journal")
    journal = Journal(StorageRoot.at(tmp_path), "tiny")
    assert "it is no regular file" in journal.problem
    journal.recorder(method_search)(ended(0))
    assert recorded(tmp_path / "optuna" / "tiny.journal") == [0]


def test_a_sparse_journal_larger_than_memory_is_set_aside_unread(tmp_path: Path) -> None:
    (tmp_path / "optuna").mkdir()
    with (tmp_path / "optuna" / "tiny.journal").open("wb") as file:
        file.truncate(1 << 42)
    assert "line 1 is torn, or longer than 1,048,576 bytes" in Journal(StorageRoot.at(tmp_path), "tiny").problem


def test_trials_that_others_add_to_a_journal_are_left_alone(method_search: MethodSearch, tmp_path: Path) -> None:
    """Somebody tries a setting by hand, or notes something, in optuna-dashboard."""
    root, path = StorageRoot.at(tmp_path), tmp_path / "optuna" / "tiny.journal"
    Journal(root, "tiny").recorder(method_search)(ended(0))
    storage = JournalStorage(JournalFileBackend(str(path)))
    [name] = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    for number in (None, "x", [1]):
        attributes = {} if number is None else {"number": number}
        study.add_trial(optuna.create_trial(value=0.5, user_attrs=attributes))
    record = Journal(root, "tiny").recorder(method_search)
    for number in range(2):
        record(ended(number))
    numbers = [trial.user_attrs.get("number") for trial in optuna.load_study(study_name=name, storage=storage).trials]
    assert numbers == [0, None, "x", [1], 1]


@pytest.mark.parametrize("content", [b'{"op_code": 99}\n', b"{", b"[" * 100_000])
def test_searches_are_not_exported_into_a_broken_journal(
    store: Store, make: Callable[..., Any], tmp_path: Path, content: bytes
) -> None:
    store.append_trial(make(TrialRow), [])
    goal = tmp_path / "goal.journal"
    goal.write_bytes(content)
    with pytest.raises(ValueError, match=f"cannot open the Optuna storage {goal}: "):
        list(export(store.root, str(goal)))
    assert goal.read_bytes() == content


def test_an_object_store_gets_the_journal_now_and_then_and_at_the_end(
    method_search: MethodSearch, tmp_path: Path
) -> None:
    root = StorageRoot.at(f"memory://{tmp_path.name}/results")
    journal = Journal(root, "tiny")
    now = 0.0
    journal._clock = lambda: now

    def sent() -> list[int]:
        path = tmp_path / f"{now}.journal"
        path.write_bytes(root.read("optuna/tiny.journal"))
        return recorded(path)

    record = journal.recorder(method_search)
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


def test_what_this_machine_holds_of_an_object_stores_journal_goes_with_it(tmp_path: Path) -> None:
    journal = Journal(StorageRoot.at(f"memory://{tmp_path.name}/results"), "tiny")
    folder = journal._file.parent
    assert folder.is_dir()
    del journal
    gc.collect()
    assert not folder.exists()
