"""Results of version 5 of the schema, whose rows held every measure in a column and had other names for some.

``stored_version_5.json`` holds rows that the last code of that version wrote for a real study (fewer of its trials,
predictions and artifacts), and what that code answered about them.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.report.page import render_page
from lethe.results import QueryError, Store, compact, load, query, save_query
from lethe.results.part import encode
from lethe.results.rows import RENAMED_COLUMNS
from lethe.results.schema import to_rows
from lethe.results.views import LeaderboardRow
from lethe.storage.root import StorageRoot

STORED: dict[str, Any] = json.loads((Path(__file__).parent / "stored_version_5.json").read_text())
TYPES = {
    "string": pa.string(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
    "list<element: string>": pa.list_(pa.string()),
    "list<element: int64>": pa.list_(pa.int64()),
    "list<element: double>": pa.list_(pa.float64()),
}


def values_of(stored: Any, count: int) -> list[Any]:
    """Read a column, which repeats one value, names its few values once, or lists them."""
    if isinstance(stored, list):
        return stored
    return [stored["every"]] * count if "every" in stored else [stored["of"][at] for at in stored["at"]]


def table_of(stored: dict[str, Any]) -> pa.Table:
    columns = stored["columns"]
    schema = pa.schema([pa.field(name, TYPES[kind], nullable) for name, (kind, nullable, _) in columns.items()])
    arrays = []
    for name, (kind, _, values) in columns.items():
        of_rows = pa.array(values_of(values, stored["rows"]), pa.string() if "timestamp" in kind else TYPES[kind])
        arrays.append(of_rows.cast(schema.field(name).type))
    return pa.Table.from_arrays(arrays, schema=schema)


@pytest.fixture
def version_5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as early:
        early.setattr("lethe.results.part.SCHEMA_VERSION", STORED["version"])
        for name, stored in STORED["tables"].items():
            folder = tmp_path / "tables" / name / "tiny" / "merged"
            folder.mkdir(parents=True)
            (folder / "00000001-00000000.parquet").write_bytes(encode(table_of(stored)))
    return tmp_path


def equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(equal, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
    return bool(found == expected)


ADJUSTED = {"contrasts": {"p_holm", "verdict"}}
"""Columns that follow from how many comparisons are adjusted together, which are those of one question today."""


@pytest.mark.parametrize("name", STORED["answers"])
def test_a_view_of_results_of_version_5_answers_as_the_code_of_then(name: str, version_5: Path) -> None:
    left_out = ADJUSTED.get(name, set())
    expected = [
        {column: value for column, value in row.items() if column not in left_out} for row in STORED["answers"][name]
    ]
    found = query(f"select {', '.join(expected[0])} from {name}", version_5).to_pylist()
    for row in expected:
        assert any(all(equal(one[column], row[column]) for column in row) for one in found), row


def test_every_measure_in_a_column_of_version_5_is_in_the_long_table(version_5: Path) -> None:
    long = {
        (row["unit_id"], row["metric"], row["class_index"]): row["value"]
        for row in query("from measures where unit_kind = 'confirmation'", version_5).to_pylist()
    }
    for row in load(version_5, "confirmations").to_pylist():
        for metric in ("ua", "ra", "va", "ta", "mia", "mia_prob", "auc", "gap", "tow", "mia_balanced_accuracy"):
            assert long.pop((row["confirmation_id"], metric, None)) == row[metric]
        for metric in ("ua", "mia", "recall"):
            for index, value in enumerate(row[f"{metric}_per_class"]):
                assert long.pop((row["confirmation_id"], metric, index)) == value
    assert {metric for _, metric, _ in long} == {"mia_correctness", "mia_entropy", "mia_modified_entropy"}


def test_searches_of_version_5_are_in_the_long_table_too(version_5: Path) -> None:
    units = "select distinct unit_kind from measures order by all"
    assert query(units, version_5)["unit_kind"].to_pylist() == ["confirmation", "epoch", "trial"]
    compared = query(
        "select count(*) n, count(*) filter (m.value = e.mia) same from measures m"
        " join epochs e on m.unit_id = e.trial_id and m.epoch = e.epoch where metric = 'mia'",
        version_5,
    )
    [row] = compared.to_pylist()
    assert row["n"] == row["same"] > 0


def test_the_report_prints_what_version_5_recorded(version_5: Path) -> None:
    done = CliRunner().invoke(app, ["leaderboard", "--results", str(version_5)], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    for row in to_rows(load(version_5, "leaderboard"), LeaderboardRow):
        assert row.gap is not None and row.gap_low is not None and row.gap_high is not None
        assert f"{100 * row.gap:.1f} [{100 * row.gap_low:.1f}, {100 * row.gap_high:.1f}]" in done.output


def test_the_page_of_version_5_compares_rows_without_thresholds(version_5: Path) -> None:
    assert query("select distinct called_nonmember from predictions", version_5).to_pylist() == [
        {"called_nonmember": None}
    ]
    held = re.findall(r'class="rows">(.*?)</script>', render_page(StorageRoot.at(version_5), None).html, re.DOTALL)
    rows = [row for one in held for row in json.loads(one)]
    assert [row["thresholds"] for row in rows if row["confidence"]] == [None]


def test_compaction_rewrites_version_5_and_changes_no_answer(version_5: Path) -> None:
    store = Store(StorageRoot.at(version_5))
    [packing] = load(version_5, "calibrations").to_pylist()
    (version_5 / "tables/packings/tiny/merged/00000001-00000000.parquet").rename(
        version_5 / f"tables/packings/tiny/{packing['packing_id']}.parquet"
    )
    before = load(version_5, "leaderboard"), load(version_5, "metric_summary")
    assert compact(store, "tiny") == []
    assert (load(version_5, "leaderboard"), load(version_5, "metric_summary")) == before
    assert load(version_5, "packings").to_pylist() == [packing]
    assert len(list((version_5 / "tables/packings/tiny").rglob("*.parquet"))) == 1


@pytest.mark.parametrize(("old", "new"), RENAMED_COLUMNS.items())
def test_a_column_by_its_early_name_is_answered_with_todays(old: str, new: str, version_5: Path) -> None:
    for sql in (
        f"select {old} from confirmations",
        f"select c.{old} from confirmations c",
        f'from trials order by "{old}"',
    ):
        with pytest.raises(QueryError, match=f"the column '{old}' is called '{new}' since version 6"):
            query(sql, version_5)


def test_a_query_that_is_saved_by_an_early_name_is_answered_with_todays(version_5: Path) -> None:
    with pytest.raises(QueryError, match="the column 'arm' is called 'augmentation' since version 6"):
        save_query("select arm from trials", "mine", version_5)


def test_another_unknown_column_is_answered_as_ever(version_5: Path) -> None:
    with pytest.raises(QueryError, match='Referenced column "armory" not found') as caught:
        query("select armory from trials", version_5)
    assert "since version 6" not in str(caught.value)
