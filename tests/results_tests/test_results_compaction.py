"""Compaction: parts become few merged files, and no row is hidden or seen twice, whatever dies or reads beside it."""

import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lethe.results import CalibrationRow, CorruptPartWarning, EpochRow, Store, TrialRow, compact
from lethe.results.compaction import FULL_UNITS
from lethe.results.part import encode
from lethe.results.schema import to_table
from lethe.storage.root import StorageError, StorageRoot


@pytest.fixture
def add(store: Store, make: Callable[..., Any]) -> Callable[..., None]:
    """Records trials of two epochs each, by number."""

    def record(*numbers: int, **changes: Any) -> None:
        for number in numbers:
            name = f"t{number}"
            epochs = [make(EpochRow, trial_id=name, epoch=epoch) for epoch in (1, 2)]
            store.append_trial(make(TrialRow, trial_id=name, number=number, **changes), epochs)

    return record


def files(store: Store, table: str = "trials") -> list[Path]:
    folder = store.root.local_path(f"tables/{table}/s")
    assert folder is not None
    return sorted(folder.rglob("*.parquet"))


def numbers(store: Store) -> list[int]:
    found: list[int] = sorted(store.read("trials", "s")["number"].to_pylist())
    return found


def test_parts_become_one_file_a_table_with_the_same_rows(store: Store, add: Callable[..., None]) -> None:
    add(0, 1, 2)
    before = {table: store.read(table).sort_by("trial_id").to_pylist() for table in ("trials", "epochs")}
    assert compact(store, "s") == []
    assert [len(files(store, table)) for table in ("trials", "epochs")] == [1, 1]
    assert {table: store.read(table).sort_by("trial_id").to_pylist() for table in ("trials", "epochs")} == before


def test_a_table_that_was_renamed_is_compacted_and_repaired_in_its_own_folder(
    store: Store, make: Callable[..., Any]
) -> None:
    for name in ("a", "b"):
        store.append([make(CalibrationRow, packing_id=name)])
    store.files("calibrations", "s").write("torn.parquet", b"torn")
    [told] = compact(store, "s")
    assert "/tables/packings/s/torn.parquet: " in told
    assert Path(told.rpartition("moved to quarantine as ")[2]).read_bytes() == b"torn"
    assert [path.parent.name for path in files(store, "packings")] == ["merged"]
    assert store.read("calibrations")["packing_id"].to_pylist() == ["a", "b"]


def test_new_parts_are_seen_beside_merged_files_and_merged_into_them(store: Store, add: Callable[..., None]) -> None:
    add(0, 1)
    compact(store, "s")
    add(2)
    assert numbers(store) == numbers(Store(store.root)) == [0, 1, 2]
    assert len(store.read("epochs")) == 6
    compact(store, "s")
    assert numbers(store) == [0, 1, 2]
    assert len(files(store)) == 1


def test_nothing_is_written_where_all_is_merged(store: Store, add: Callable[..., None]) -> None:
    add(0, 1)
    compact(store, "s")
    before = store.root.stamps(recursive=True)
    compact(store, "s")
    assert store.root.stamps(recursive=True) == before


def test_studies_are_compacted_apart(store: Store, add: Callable[..., None], make: Callable[..., Any]) -> None:
    add(0)
    store.append([make(TrialRow, study="other", trial_id="o0")])
    before = store.root.child("tables", "trials", "other").stamps(recursive=True)
    compact(store, "s")
    assert store.root.child("tables", "trials", "other").stamps(recursive=True) == before
    assert len(store.read("trials")) == 2


def test_a_unit_written_again_replaces_its_merged_rows(store: Store, add: Callable[..., None]) -> None:
    add(0, 1)
    compact(store, "s")
    add(1, status="failed", gap=None, error="replaced")
    for _ in range(2):
        assert numbers(store) == [0, 1]
        assert "replaced" in store.read("trials")["error"].to_pylist()
        assert len(store.read("epochs")) == 4
        compact(store, "s")


def test_a_full_file_stays_as_it_is_and_later_rows_still_count(
    store: Store, add: Callable[..., None], make: Callable[..., Any]
) -> None:
    rows = [make(TrialRow, trial_id=f"t{number}", number=number, epochs_done=0) for number in range(FULL_UNITS + 1)]
    full = to_table(rows, TrialRow)
    store.root.write("tables/trials/s/merged/00000001-0123abcd.parquet", encode(full))
    add(7, status="failed", gap=None, error="replaced")
    add(FULL_UNITS + 1)
    compact(store, "s")
    assert [path.name[:8] for path in files(store)] == ["00000001", "00000002"]
    assert numbers(store) == list(range(FULL_UNITS + 2))
    assert store.read("trials")["error"].to_pylist().count("replaced") == 1


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("operation", ["write", "delete"])
@pytest.mark.parametrize("calls", range(6))
def test_a_compaction_killed_at_any_point_hides_and_doubles_nothing(
    store: Store, add: Callable[..., None], operation: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(0, 1)
    compact(store, "s")
    add(1, status="failed", gap=None, error="replaced")
    add(2)
    left = [calls]
    real = getattr(StorageRoot, operation)

    def dying(root: StorageRoot, *arguments: Any) -> Any:
        if not left[0]:
            raise _KilledError
        left[0] -= 1
        return real(root, *arguments)

    with monkeypatch.context() as killing:
        killing.setattr(StorageRoot, operation, dying)
        with suppress(_KilledError):
            compact(store, "s")
    for _ in range(2):
        assert numbers(store) == [0, 1, 2]
        assert len(store.read("epochs")) == 6
        assert store.read("trials")["error"].to_pylist().count("replaced") == 1
        compact(store, "s")
    assert [len(files(store, table)) for table in ("trials", "epochs")] == [1, 1]


def test_readers_beside_a_writer_that_compacts_see_every_row_once(store: Store, add: Callable[..., None]) -> None:
    add(0)
    written, over, seen, problems = [1], threading.Event(), [0], []

    def read() -> None:
        reader = Store(store.root)
        while not over.is_set():
            least = written[0]
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = numbers(reader)
            if len(found) < least or found != list(range(len(found))):
                problems.append((least, found))
            seen[0] += 1

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 120):
        add(number)
        written[0] = number + 1
        if number % 3 == 0:
            compact(store, "s")
    over.set()
    reader.join()
    assert problems == []
    assert seen[0] > 1


def test_files_that_never_hold_still_are_told(
    store: Store, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(0)

    def gone(root: StorageRoot, name: str, limit_bytes: int | None = None) -> bytes:
        raise FileNotFoundError(name)

    monkeypatch.setattr(StorageRoot, "read", gone)
    with pytest.raises(StorageError, match="files change faster than they can be read"):
        store.read("trials")


def test_a_broken_part_is_set_aside_and_told_once(store: Store, add: Callable[..., None]) -> None:
    add(0, 1, 2)
    path = files(store)[1]
    path.write_bytes(b"torn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        [told] = compact(store, "s")
        assert compact(store, "s") == []
        assert numbers(store) == [0, 2]
    assert str(path) in told
    assert Path(told.rpartition("moved to quarantine as ")[2]).read_bytes() == b"torn"
    assert not path.exists()


def test_a_broken_merged_file_is_told_set_aside_and_costs_its_own_rows(store: Store, add: Callable[..., None]) -> None:
    add(0, 1)
    compact(store, "s")
    add(2)
    files(store)[0].write_bytes(b"torn")
    with pytest.warns(CorruptPartWarning, match=r"merged/00000001-.*\.parquet"):
        assert numbers(store) == [2]
    [told] = compact(store, "s")
    assert "merged/00000001-" in told
    assert numbers(store) == [2]


@pytest.mark.filterwarnings("ignore::lethe.results.ForeignFolderWarning")
def test_files_that_somebody_put_beside_ours_are_passed_over(store: Store, add: Callable[..., None]) -> None:
    add(0, 1)
    compact(store, "s")
    whole = files(store)[0].read_bytes()
    for name in ("merged/copy.parquet", "merged/00000009.parquet", "mine/00000009-0123abcd.parquet"):
        store.root.write(f"tables/trials/s/{name}", whole)
    add(2)
    for _ in range(2):
        assert store.read("trials").num_rows == store.read("trials", "s").num_rows == 3
        assert compact(store, "s") == []


def test_reading_moves_nothing(store: Store, add: Callable[..., None]) -> None:
    add(0, 1)
    path = files(store)[1]
    path.write_bytes(b"torn")
    with pytest.warns(CorruptPartWarning, match="t1"):
        store.read("trials")
    assert path.read_bytes() == b"torn"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"torn")], ids=["gone", "torn"])
@pytest.mark.parametrize("merged", [False, True])
def test_a_trial_that_lost_its_epochs_is_set_aside_with_them(
    store: Store, add: Callable[..., None], damage: Callable[[Path], object], merged: bool
) -> None:
    add(0, 2)
    compact(store, "s")
    add(1)
    trial = files(store)[-1].read_bytes()
    damage(files(store, "epochs")[-1])
    if merged:
        store.root.delete("tables/trials/s/t1.parquet")
        store.root.write("tables/trials/s/merged/00000002-0123abcd.parquet", trial)
    told = compact(store, "s")
    assert any("trial t1 has lost its epochs" in line for line in told)
    assert numbers(store) == [0, 2]
    assert compact(store, "s") == []
    [kept] = store.root.child("quarantine", "tables", "trials").names(recursive=True)
    assert kept.startswith("s/t1.parquet")
