"""The store: parts become visible whole, once, and a broken one costs its own rows only."""

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lethe.results import (
    ArtifactRow,
    ConfirmationRow,
    CorruptPartError,
    CorruptPartWarning,
    EpochRow,
    ForeignFolderWarning,
    PredictionRow,
    SchemaError,
    Store,
    TooLargeError,
    TrialRow,
    compact,
    copy_tables,
    query,
)
from lethe.results.copies import write_copy
from lethe.results.limits import Budget
from lethe.results.part import decode, encode
from lethe.results.rows import SCHEMA_VERSION
from lethe.results.schema import schema_of, to_rows, to_table
from lethe.storage.root import StorageError, StorageRoot


def trial_ids(store: Store, study: str | None = None) -> list[str]:
    return sorted(store.read("trials", study)["trial_id"].to_pylist())


def part_path(store: Store, name: str, table: str = "trials") -> Path:
    path = store.root.local_path(f"tables/{table}/s/{name}.parquet")
    assert path is not None
    return path


@pytest.fixture
def three(store: Store, make: Callable[..., Any]) -> Store:
    """A store of three trials with two epochs each."""
    for name in ("t0", "t1", "t2"):
        epochs = [make(EpochRow, trial_id=name, epoch=epoch) for epoch in (1, 2)]
        store.append_trial(make(TrialRow, trial_id=name), epochs)
    return store


def rewrite(path: Path, drop: tuple[str, ...] = (), add: tuple[str, ...] = ()) -> None:
    """Write a part anew with other columns, as a Lethe of another version would have."""
    table = pq.read_table(path).drop_columns(list(drop))
    for name in add:
        table = table.append_column(name, pa.array([1.0] * len(table)))
    path.write_bytes(encode(table))


def test_an_empty_place_reads_as_empty_tables_with_their_columns(store: Store) -> None:
    assert store.studies() == []
    assert store.read("trials").schema.equals(schema_of(TrialRow))
    assert len(store.read("epochs", "s")) == 0


def test_naming_a_part_twice_is_writing_it_once(three: Store, make: Callable[..., Any]) -> None:
    three.append_trial(make(TrialRow, trial_id="t1", gap=0.5), [make(EpochRow, trial_id="t1", epoch=1)])
    assert trial_ids(three) == ["t0", "t1", "t2"]
    assert sorted(three.read("trials")["gap"].to_pylist()) == [0.1, 0.1, 0.5]
    assert len(three.read("epochs")) == 5


def test_studies_are_kept_apart(three: Store, make: Callable[..., Any]) -> None:
    three.append([make(ArtifactRow, study="other")])
    three.append([make(TrialRow, study="other", trial_id="o0")])
    assert three.studies() == ["other", "s"]
    assert trial_ids(three, "other") == ["o0"]
    assert trial_ids(three) == ["o0", "t0", "t1", "t2"]


def test_epochs_are_invisible_until_their_trial_is_there(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(EpochRow, trial_id="t9", epoch=1)])
    assert len(store.read("epochs")) == 0
    store.append([make(TrialRow, trial_id="t9")])
    assert len(store.read("epochs")) == 1


def test_a_trial_that_failed_at_once_has_no_epochs(store: Store, make: Callable[..., Any]) -> None:
    store.append_trial(make(TrialRow, status="failed", error="out of memory", ua=None, gap=None), [])
    assert store.read("trials")["error"].to_pylist() == ["out of memory"]
    assert len(store.read("epochs")) == 0


def test_other_parquet_readers_see_the_same_rows(three: Store, make: Callable[..., Any]) -> None:
    compact(three, "s")
    three.append([make(TrialRow, trial_id="t3")])
    glob = str(three.root.local_path("tables/trials/**/*.parquet"))
    answer = duckdb.sql(f"select count(*), epoch_us(min(started_at)) from read_parquet('{glob}')").fetchall()
    started = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC)
    assert answer == [(4, (started - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1))]


def test_temporary_files_are_passed_over(three: Store) -> None:
    (part_path(three, "t0").parent / ".t3.parquet.0123.tmp").write_bytes(b"PAR1 torn")
    assert trial_ids(three) == ["t0", "t1", "t2"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all" * 100])
def test_a_part_that_is_no_part_is_left_out_and_named(three: Store, content: bytes) -> None:
    part_path(three, "t1").write_bytes(content)
    with pytest.warns(CorruptPartWarning, match=r"broken part .*/tables/trials/s/t1\.parquet"):
        assert trial_ids(three) == ["t0", "t2"]


def test_a_torn_part_is_left_out_with_its_epochs(three: Store) -> None:
    path = part_path(three, "t1")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(CorruptPartWarning, match="t1"):
        epochs = three.read("epochs")
    assert sorted(set(epochs["trial_id"].to_pylist())) == ["t0", "t2"]


def test_a_broken_part_is_healed_by_writing_it_again(three: Store, make: Callable[..., Any]) -> None:
    part_path(three, "t1").write_bytes(b"torn")
    three.append([make(TrialRow, trial_id="t1")])
    assert trial_ids(three) == ["t0", "t1", "t2"]


def test_no_flipped_bit_is_ever_read_as_another_row(make: Callable[..., Any]) -> None:
    data = encode(to_table([make(TrialRow)], TrialRow))
    for position in range(0, len(data), 2):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position // 2 % 8
        with pytest.raises(CorruptPartError):
            decode(bytes(flipped), schema_of(TrialRow))


def test_a_foreign_parquet_file_is_left_out(three: Store) -> None:
    pq.write_table(pa.table({"a": [1]}), part_path(three, "t1"))
    with pytest.warns(CorruptPartWarning, match="no part of Lethe's"):
        assert trial_ids(three) == ["t0", "t2"]


def test_a_part_in_another_tables_folder_is_left_out(three: Store) -> None:
    part_path(three, "t1").write_bytes(part_path(three, "t1", "epochs").read_bytes())
    with pytest.warns(CorruptPartWarning, match="t1.parquet: it holds 2 rows, and one unit has at most 1"):
        assert trial_ids(three) == ["t0", "t2"]


def test_columns_that_an_older_part_lacks_are_null(three: Store) -> None:
    rewrite(part_path(three, "t1"), drop=("peak_memory_bytes", "optuna_version"))
    read = three.read("trials")
    assert read.schema.equals(schema_of(TrialRow))
    assert sorted(read["peak_memory_bytes"].to_pylist(), key=str) == [1 << 33, 1 << 33, None]


def test_a_part_without_a_column_that_must_be_there_is_broken(three: Store) -> None:
    rewrite(part_path(three, "t1"), drop=("study_seed",))
    with pytest.warns(CorruptPartWarning, match="missing .*study_seed"):
        assert trial_ids(three) == ["t0", "t2"]


def test_a_part_of_a_newer_schema_is_refused_with_what_to_do(three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("lethe.results.part.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        rewrite(part_path(three, "t1"), add=("new_column",))
    versions = f"version {SCHEMA_VERSION + 1}.*up to {SCHEMA_VERSION}"
    with pytest.raises(SchemaError, match=rf"tables/trials/s/t1\.parquet.*{versions}.*Upgrade lethe"):
        three.read("trials")
    assert len(three.read("artifacts")) == 0


@pytest.mark.parametrize("name", ["../t", "a/b", ".hidden", "", "a b"])
def test_a_name_that_could_leave_the_folder_is_refused(name: str, store: Store, make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="unit"):
        store.append([make(TrialRow, trial_id=name)])
    with pytest.raises(ValueError, match="study"):
        store.append([make(TrialRow, study=name)])


def test_a_part_holds_the_rows_of_one_unit_of_one_table_and_study(store: Store, make: Callable[..., Any]) -> None:
    one = make(TrialRow)
    mixed = [[], [one, make(EpochRow)], [one, make(TrialRow, study="other")], [one, make(TrialRow, trial_id="t1")]]
    for rows in mixed:
        with pytest.raises(ValueError, match="wanted rows of one table, study and unit"):
            store.append(rows)


def test_a_part_under_another_units_name_is_left_out(three: Store) -> None:
    part_path(three, "t9").write_bytes(part_path(three, "t1").read_bytes())
    with pytest.warns(CorruptPartWarning, match=r"t9\.parquet: it holds t1, not t9"):
        assert trial_ids(three) == ["t0", "t1", "t2"]


def test_predictions_are_invisible_until_their_confirmation_is_there(store: Store, make: Callable[..., Any]) -> None:
    predictions = [make(PredictionRow, image=image) for image in (3, 5)]
    store.append(predictions)
    assert len(store.read("predictions")) == 0
    store.append_confirmation(make(ConfirmationRow), predictions)
    assert store.read("predictions")["image"].to_pylist() == [3, 5]


def test_an_unwritable_place_is_told(tmp_path: Path, make: Callable[..., Any]) -> None:
    (tmp_path / "tables").write_text("a file")
    with pytest.raises(StorageError, match=r"cannot write t0\.parquet"):
        Store(StorageRoot.at(tmp_path)).append([make(TrialRow)])


def test_the_store_works_on_an_object_store(make: Callable[..., Any]) -> None:
    store = Store(StorageRoot.at("memory://store-test"))
    for name in ("t0", "t1"):
        store.append_trial(make(TrialRow, trial_id=name), [make(EpochRow, trial_id=name)])
    store.root.write("tables/trials/s/t2.parquet", b"torn")
    assert "moved to quarantine as memory://store-test/quarantine/tables/trials/s/t2" in compact(store, "s")[0]
    assert trial_ids(store) == ["t0", "t1"]
    assert len(store.read("epochs")) == 2


def test_an_artifact_that_two_studies_recorded_counts_once_as_it_was_made_last(
    store: Store, make: Callable[..., Any]
) -> None:
    early, late = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    store.append([make(ArtifactRow, study="s", ended_at=early)])
    store.append([make(ArtifactRow, study="other", ended_at=late)])
    store.append([make(ArtifactRow, study="other", artifact_id="b")])
    rows = to_rows(store.read("artifacts"), ArtifactRow)
    assert sorted((row.artifact_id, row.study) for row in rows) == [("a", "other"), ("b", "other")]
    assert [row.study for row in to_rows(store.read("artifacts", "s"), ArtifactRow)] == ["s"]


def two_of_one_study(store: Store, make: Callable[..., Any]) -> None:
    """Two studies, one of them compacted, so that there are parts and merged files."""
    for study in ("s", "other"):
        for number in range(2):
            name = f"{study}{number}"
            store.append_trial(make(TrialRow, study=study, trial_id=name), [make(EpochRow, study=study, trial_id=name)])
    compact(store, "other")


@pytest.mark.parametrize("study", ["s", "other"])
@pytest.mark.parametrize("copy", ["s.bak", "..evil", ".hidden", "a b", "s/copy", "new/deeper", "zzz"])
def test_a_copy_of_a_studys_folder_is_named_and_counts_for_nothing(
    study: str, copy: str, store: Store, make: Callable[..., Any]
) -> None:
    two_of_one_study(store, make)
    tables = Path(store.root.address) / "tables"
    for table in ("trials", "epochs"):
        shutil.copytree(tables / table / study, tables / table / copy)
    copies = {path: path.read_bytes() for path in (tables / "trials" / copy).rglob("*.parquet")}
    assert store.studies() == ["other", "s"]
    for _ in range(2):
        named = rf"left out files of {tables}/trials/{re.escape(copy.partition('/')[0])}: "
        with pytest.warns(ForeignFolderWarning, match=named):
            assert trial_ids(store) == ["other0", "other1", "s0", "s1"]
        with pytest.warns(ForeignFolderWarning):
            assert len(store.read("epochs")) == 4
        assert [compact(store, name) for name in store.studies()] == [[], []]
        copy_tables(store)
    assert {path: path.read_bytes() for path in copies} == copies


def test_a_copy_of_all_studies_that_holds_rows_twice_is_not_read(store: Store, make: Callable[..., Any]) -> None:
    two_of_one_study(store, make)
    compact(store, "s")
    files = {name: rows for name, rows in store.scan("trials").files.items() if name.startswith("s/")}
    [(name, rows)] = files.items()
    duplicate = name.replace("s/", "s.bak/")
    store.root.write(f"tables/trials/{duplicate}", encode(rows))
    write_copy(store.root, "trials", {name: rows, duplicate: rows})
    with pytest.warns(ForeignFolderWarning, match="are of study s; move them out"):
        assert trial_ids(store) == ["other0", "other1", "s0", "s1"]


def test_a_file_of_another_study_in_a_studys_folder_is_left_out_alone(three: Store, make: Callable[..., Any]) -> None:
    three.append([make(TrialRow, study="other", trial_id="t9")])
    shutil.move(str(three.root.local_path("tables/trials/other/t9.parquet")), part_path(three, "t9"))
    for study in (None, "s"):
        with pytest.warns(ForeignFolderWarning, match=r"tables/trials/s: their rows are of study other"):
            assert trial_ids(three, study) == ["t0", "t1", "t2"]
    compact(three, "s")
    assert part_path(three, "t9").exists()
    assert three.studies() == ["s"]


def many_rows(make: Callable[..., Any], count: int) -> bytes:
    """A small part of many rows that are all alike, with nulls wherever there can be."""
    schema = schema_of(TrialRow)
    row = to_table([make(TrialRow)], TrialRow)
    columns = [
        pa.nulls(count, field.type) if field.nullable else pa.repeat(row[field.name][0], count) for field in schema
    ]
    return encode(pa.Table.from_arrays(columns, schema=schema))


def test_a_small_part_of_many_rows_is_left_out_unread(three: Store, make: Callable[..., Any]) -> None:
    data = many_rows(make, 100_000)
    assert len(data) < 200_000
    part_path(three, "t0").write_bytes(data)
    with pytest.warns(CorruptPartWarning, match="t0.parquet: it holds 100,000 rows, and one unit has at most 1"):
        assert trial_ids(three) == ["t1", "t2"]


def test_a_table_that_takes_more_memory_than_it_may_is_an_error_before_it_is_read(
    three: Store, make: Callable[..., Any]
) -> None:
    name = "tables/trials/s/merged/00000001-0123abcd.parquet"
    three.root.write(name, many_rows(make, 100_000))
    limited = Store(three.root, memory_bytes=10_000_000)
    with pytest.raises(TooLargeError, match=r"cannot read .*/00000001-0123abcd.parquet: with it the table takes \d+"):
        limited.read("trials")
    with pytest.raises(TooLargeError, match=r"may take 10.0MB; allow more \(`lethe query --memory`"):
        query("select count(*) from trials", three.root, memory="10MB")
    assert trial_ids(Store(three.root)) == ["t0", "t1", "t2"]


def test_a_part_with_a_dictionary_is_none_of_lethes(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    table = to_table([make(TrialRow)], TrialRow)
    writer = pq.ParquetWriter
    with monkeypatch.context() as other:
        other.setattr(pq, "ParquetWriter", lambda *a, **k: writer(*a, **k | {"use_dictionary": True}))
        data = encode(table)
    with pytest.raises(CorruptPartError, match="a column has a dictionary"):
        decode(data, schema_of(TrialRow), Budget(1 << 30))


def test_more_rows_than_a_unit_can_have_are_not_written(store: Store, make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="wanted at most 1 rows of 't0' in trials, got 2"):
        store.append([make(TrialRow), make(TrialRow)])
