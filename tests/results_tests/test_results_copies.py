"""Copies of many studies' files: read instead of them while they are true, and never trusted beyond that."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lethe.results import EpochRow, Store, TrialRow, compact, copy_tables, query

STUDIES = ("a", "b", "c")


@pytest.fixture
def add(store: Store, make: Callable[..., Any]) -> Callable[..., None]:
    """Records a trial of one epoch, by its study and number."""

    def record(study: str, number: int, **changes: Any) -> None:
        own = {"study": study, "trial_id": f"{study}{number}"}
        store.append_trial(make(TrialRow, **own, number=number, **changes), [make(EpochRow, **own)])

    return record


@pytest.fixture
def copied(store: Store, add: Callable[..., None]) -> Store:
    """Three compacted studies of two trials each, and their copy."""
    for study in STUDIES:
        add(study, 0)
        add(study, 1)
        compact(store, study)
    copy_tables(store)
    return store


def trials(store: Store) -> list[str]:
    found: list[str] = sorted(store.read("trials")["trial_id"].to_pylist())
    return found


def damage_all_files(store: Store) -> None:
    """Make the studies' own files unreadable, so that only a copy can have given what is read."""
    for path in Path(str(store.root)).glob("tables/**/*.parquet"):
        path.write_bytes(b"torn")


ALL = [f"{study}{number}" for study in STUDIES for number in (0, 1)]


def test_a_copy_is_read_instead_of_the_files_that_it_repeats(copied: Store) -> None:
    before = copied.read("epochs").sort_by("trial_id").to_pylist()
    damage_all_files(copied)
    assert trials(copied) == ALL
    assert copied.read("epochs").sort_by("trial_id").to_pylist() == before
    assert query("select count(*) n from trials", copied.root).to_pylist() == [{"n": 6}]


def test_a_study_that_has_gone_on_is_read_from_its_own_files(copied: Store, add: Callable[..., None]) -> None:
    add("b", 1, status="failed", gap=None, error="replaced")
    add("b", 2)
    for _ in range(2):
        assert trials(copied) == sorted([*ALL, "b2"])
        assert copied.read("trials")["error"].to_pylist().count("replaced") == 1
        compact(copied, "b")
    copy_tables(copied)
    damage_all_files(copied)
    assert trials(copied) == sorted([*ALL, "b2"])


def test_a_study_that_was_deleted_is_gone_from_what_is_read(copied: Store) -> None:
    for table in ("trials", "epochs"):
        copied.root.delete(f"tables/{table}/a")
    assert trials(copied) == [name for name in ALL if name[0] != "a"]


@pytest.mark.parametrize("pattern", ["*.json", "trials-*.parquet"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"torn")], ids=["gone", "torn"])
def test_a_copy_that_is_torn_or_gone_costs_nothing(
    copied: Store, pattern: str, damage: Callable[[Path], object]
) -> None:
    for path in (Path(str(copied.root)) / "copies").glob(pattern):
        damage(path)
    assert trials(copied) == ALL


HOSTILE = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "text": b'"x"',
    "number": b"1",
    "binary": b"\xff\xfe\x00",
    "nested": b"[" * 100_000,
    "no file": b'{"studies": {}}',
    "no studies": b'{"file": "trials-0123456789abcdef.parquet"}',
    "studies as a list": b'{"file": "trials-0123456789abcdef.parquet", "studies": ["a"]}',
    "files as a text": b'{"file": "trials-0123456789abcdef.parquet", "studies": {"a": "a/x"}}',
    "another place's file": b'{"file": "../../other.parquet", "studies": {}}',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_whatever_stands_in_the_place_of_a_copys_index_costs_nothing(copied: Store, content: bytes) -> None:
    for path in (Path(str(copied.root)) / "copies").glob("*.json"):
        path.write_bytes(content)
    assert trials(copied) == ALL
    copy_tables(copied)
    damage_all_files(copied)
    assert trials(copied) == ALL


def test_a_copys_index_that_is_a_pipe_is_not_waited_for(copied: Store) -> None:
    path = Path(str(copied.root)) / "copies" / "trials.json"
    path.unlink()
    os.mkfifo(path)
    assert trials(copied) == ALL


def test_there_is_one_copy_a_table_however_often_they_are_made(copied: Store, add: Callable[..., None]) -> None:
    for number in (2, 3):
        add("a", number)
        compact(copied, "a")
        copy_tables(copied)
    names = [path.name.partition("-")[0] for path in (Path(str(copied.root)) / "copies").glob("*.parquet")]
    assert sorted(names) == ["epochs", "trials"]
    assert len(trials(copied)) == 8


def test_one_study_is_always_read_from_its_own_files(copied: Store) -> None:
    damage_all_files(copied)
    with pytest.warns(UserWarning, match="broken part"):
        assert len(copied.read("trials", "a")) == 0
