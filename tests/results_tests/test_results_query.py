"""SQL over the results: everything that reads is answered, everything else is refused."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import duckdb
import pytest

from lethe.results import EpochRow, QueryError, Results, SameNameWarning, Store, TrialRow, functions, query
from lethe.results.limits import parse_memory


@pytest.fixture
def filled(store: Store, make: Callable[..., Any]) -> Store:
    for number, gap in enumerate((0.3, 0.1, 0.2)):
        trial = make(TrialRow, trial_id=f"t{number}", number=number, gap=gap)
        store.append_trial(trial, [make(EpochRow, trial_id=trial.trial_id, epoch=epoch) for epoch in (1, 2)])
    return store


def test_tables_are_joined_and_counted(filled: Store) -> None:
    sql = (
        "with best as (select * from trials order by gap limit 1) "
        "select trial_id, epoch from chosen join epochs using (trial_id) order by epoch"
    )
    assert query(sql, filled.root).to_pylist() == [{"trial_id": "t1", "epoch": 1}, {"trial_id": "t1", "epoch": 2}]


def test_every_column_of_every_table_is_documented_by_a_view_of_its_own(filled: Store) -> None:
    documented = query("select table_name, column_name, unit, meaning from columns", filled.root).to_pylist()
    for table in ("trials", "epochs", "confirmations", "artifacts"):
        names = query(f"describe {table}", filled.root)["column_name"].to_pylist()
        assert [row["column_name"] for row in documented if row["table_name"] == table] == names
    assert all(row["meaning"] for row in documented)
    assert {row["unit"] for row in documented if row["column_name"] == "seconds_unlearn"} == {"s"}


def test_a_place_can_be_given_by_its_path_or_uri(filled: Store) -> None:
    for where in (str(filled.root), Path(str(filled.root)), filled.root.uri):
        assert query("select count(*) n from trials", where).to_pylist() == [{"n": 3}]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("from trials", 3),
        ("TABLE trials", 3),
        ("values (1), (2)", 2),
        ("show tables", 40),
        ("describe trials", None),
        ("summarize trials", None),
        ("explain select * from epochs", None),
        ("select * from query_table('tri' || 'als')", 3),
        ("select * from artifacts", 0),
        ("select 1; -- a comment after it", 1),
    ],
)
def test_whatever_reads_is_answered(sql: str, rows: int | None, filled: Store) -> None:
    answer = query(sql, filled.root)
    assert len(answer) == rows if rows is not None else len(answer) > 0


@pytest.mark.parametrize(
    "sql",
    [
        "drop table trials",
        "drop view trials",
        "delete from trials",
        "insert into trials select * from trials",
        "update trials set gap = 0",
        "create table t as select * from trials",
        "copy trials to '{path}'",
        "copy (select 1) to '{path}'",
        "explain analyze copy trials to '{path}'",
        "export database '{path}'",
        "attach '{path}'",
        "set enable_external_access = true",
        "install httpfs",
        "load httpfs",
        "select 1; drop view trials",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_parquet('{root}/tables/trials/*/*.parquet')",
        "select * from glob('/etc/*')",
        "",
        "-- nothing",
    ],
)
def test_whatever_writes_or_reads_other_files_is_refused(sql: str, filled: Store, tmp_path: Path) -> None:
    goal = tmp_path / "out"
    before = filled.root.stamps(recursive=True)
    with pytest.raises(QueryError, match="Tables: trials, epochs, confirmations, predictions, boards, priors"):
        query(sql.format(path=goal, root=filled.root), filled.root)
    assert not goal.exists()
    assert filled.root.stamps(recursive=True) == before


def test_variables_of_the_calling_code_are_out_of_reach(filled: Store) -> None:
    private = filled.read("trials")
    with pytest.raises(QueryError, match="private does not exist"):
        query("select * from private", filled.root)
    assert len(private) == 3


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("selec 1", "syntax error"),
        ("select nope from trials", '"nope" not found'),
        ("select * from nope", "nope does not exist"),
        ("select * from trials where gap = $1", "parameters"),
        ("select cast('x' as integer)", "Could not convert"),
    ],
)
def test_wrong_sql_is_told_in_duckdbs_words_with_the_tables(sql: str, told: str, filled: Store) -> None:
    with pytest.raises(QueryError, match=told) as raised:
        query(sql, filled.root)
    assert "Tables: trials, epochs, confirmations, predictions, boards, priors, artifacts" in str(raised.value)


def test_a_place_without_results_is_told_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=f"no results in {tmp_path}/nowhere"):
        query("select * from trials", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_times_stay_in_utc_and_the_setting_is_json(filled: Store) -> None:
    (row,) = query("select started_at, setting ->> 'lr' as lr, setting from trials limit 1", filled.root).to_pylist()
    assert row["started_at"] == datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC)
    assert float(row["lr"]) == json.loads(row["setting"])["lr"] == 0.013


def test_sql_reads_no_file_through_a_temporary_folder(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "secret").write_text("secret")
    (tmp_path / ".tmp" / "root").symlink_to("/")
    (tmp_path / "secret").write_text("secret")
    for path in (".tmp/secret", ".tmp/root/etc/hostname", "secret", f"{tmp_path}/.tmp/secret", ".tmp/../secret"):
        with pytest.raises(QueryError, match="Cannot access file"):
            query(f"select content from read_text('{path}')", filled.root)
    settings = query(
        "select current_setting('temp_directory') t, current_setting('allowed_directories') a", filled.root
    )
    assert settings.to_pylist() == [{"t": "", "a": []}]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from range(10000000) order by hash(range)",
        "select * from range(10000000)",
        "select list(range) from range(10000000)",
    ],
)
def test_what_takes_more_memory_than_it_may_ends_in_a_sentence(sql: str, filled: Store) -> None:
    with pytest.raises(QueryError, match=r"more memory than the 20.0MB that it may; .*--memory"):
        query(sql, filled.root, memory="20MB")
    assert len(query("select 1", filled.root, memory="20MB")) == 1


def test_what_takes_longer_than_it_may_ends_in_a_sentence(filled: Store) -> None:
    sql = "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7"
    began = time.monotonic()
    with pytest.raises(QueryError, match=r"no answer within 0.1 s; .*--timeout"):
        query(sql, filled.root, timeout_s=0.1)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "call",
    [
        "energy_test([[1.0]], [[2.0]])",
        "compare_ensembles([[0.5]], [[0.5]])",
        "attack_halves([[0.5]], [[0.5]], [[0.5]], [[true]], [0])",
    ],
)
def test_a_function_that_may_take_long_ends_its_query_once_that_is_stopped(call: str) -> None:
    stopped = Event()
    connection = duckdb.connect(":memory:")
    functions.register(connection, stopped)
    stopped.set()
    with pytest.raises(duckdb.Error, match="the query was stopped"):
        connection.sql(f"select {call}").fetchall()


def test_a_process_ends_although_a_function_was_at_work_when_the_time_was_up(filled: Store) -> None:
    """Two thousand calls, many minutes of them, in one chunk, within which DuckDB sees no interrupt."""
    code = f"""
from lethe.results import QueryError, query
points = "list_transform(range(0, 100), lambda i: [random(), random()])"
try:
    query(f"select sum(energy_test({{points}}, {{points}})['p']) from range(2000)", {str(filled.root)!r}, timeout_s=3)
except QueryError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no answer within 3 s" in done.stdout


def test_results_answer_again_after_wrong_sql_and_after_what_took_too_long(filled: Store) -> None:
    results = Results(filled.root, timeout_s=5)
    first = results.load("chosen")
    with pytest.raises(QueryError, match="Referenced column"):
        results.query("select nothing from chosen")
    with pytest.raises(QueryError, match="no answer within 5 s"):
        results.query("select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7")
    assert results.load("chosen").equals(first)
    assert results.query("select chosen.trial_id from leaderboard join chosen using (method)").num_rows == 0


@pytest.mark.parametrize(("text", "size"), [("4GB", 4 * 10**9), ("1.5 GiB", 3 << 29), ("500MB", 5 * 10**8), ("7B", 7)])
def test_a_size_of_memory_is_read(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["4", "much", "-1GB", "0GB", "4XB", "iB", ""])
def test_what_is_no_size_of_memory_is_refused(text: str, filled: Store) -> None:
    with pytest.raises(ValueError, match="wanted a size such as 500MB or 4GB, got"):
        parse_memory(text)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_a_time_that_is_none_is_refused(timeout_s: float, filled: Store) -> None:
    with pytest.raises(ValueError, match="wanted a time above 0 s"):
        query("select 1", filled.root, timeout_s=timeout_s)


def test_columns_of_one_name_are_numbered_and_said(filled: Store) -> None:
    with pytest.warns(SameNameWarning, match="several columns are named a, b: the later ones are a_2, a_3, b_1"):
        answer = query("select 1 a, 2 a, 3 a_1, 4 a, 5 b, 6 b", filled.root)
    assert answer.to_pylist() == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4, "b": 5, "b_1": 6}]
    with pytest.warns(SameNameWarning, match="study"):
        joined = query("select * from trials join epochs using (trial_id)", filled.root)
    assert len(set(joined.column_names)) == len(joined.column_names)
