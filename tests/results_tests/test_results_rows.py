"""Columns: each documented, each typed, and every row type read back as it was written."""

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass
from datetime import datetime
from typing import Annotated, Any

import pyarrow as pa
import pytest

from lethe.results import TABLES, ConfirmationRow, EpochRow, Row, Store, TableName, TrialRow, describe, to_rows
from lethe.results.schema import Column, schema_of

UNITS = {"", "s", "bytes", "fraction", "images", "epochs", "trials", "1/h", "1/s"}


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_its_unit_and_its_meaning(table: TableName) -> None:
    columns = describe(TABLES[table])
    assert len({column.name for column in columns}) == len(columns)
    for column in columns:
        assert column.meaning.strip(), column.name
        assert column.unit in UNITS, column.name
        assert column.name.startswith("seconds_") <= (column.unit == "s"), column.name


@pytest.mark.parametrize("table", TABLES)
def test_every_row_type_reads_back_as_it_was_written(table: TableName, store: Store, make: Callable[..., Row]) -> None:
    identity = {"artifacts": "artifact_id", "predictions": "confirmation_id"}.get(table, "study")
    rows = [make(TABLES[table], **{"study": study, identity: study}) for study in ("s", "other")]
    for row in rows:
        store.append([row])
    if table == "epochs":
        store.append([make(TrialRow)])
        store.append([make(TrialRow, study="other")])
    if table == "predictions":
        for study in ("s", "other"):
            store.append([make(ConfirmationRow, study=study, confirmation_id=study)])
    read = store.read(table)
    assert read.schema.equals(schema_of(TABLES[table]))
    assert sorted(to_rows(read, TABLES[table]), key=str) == sorted(rows, key=str)
    assert to_rows(store.read(table, "other"), TABLES[table]) == rows[1:]


def test_a_row_is_keyword_only_and_never_changes(make: Callable[..., Any]) -> None:
    with pytest.raises(FrozenInstanceError):
        make(TrialRow).gap = 0.0
    with pytest.raises(TypeError):
        TrialRow("t0")  # type: ignore[call-arg, misc]


def test_the_schema_is_what_the_annotations_say() -> None:
    schema = schema_of(TrialRow)
    assert schema.field("gap").equals(pa.field("gap", pa.float64(), nullable=True))
    assert schema.field("number").equals(pa.field("number", pa.int64(), nullable=False))
    assert schema.field("status").equals(pa.field("status", pa.string(), nullable=False))
    assert schema.field("started_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("unlearning_seeds").type == pa.list_(pa.int64())


def test_a_field_without_documentation_or_of_two_types_is_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Undocumented:
        lr: float

    @dataclass(frozen=True, kw_only=True)
    class Ambiguous:
        lr: Annotated[float | str, Column("", "learning rate")]

    with pytest.raises(TypeError, match="column lr: wanted Annotated"):
        describe(Undocumented)
    with pytest.raises(TypeError, match="column lr: wanted one type"):
        describe(Ambiguous)


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 1.5},
        {"unlearning_seeds": [0.5]},
        {"gap": "0.1"},
        {"gap_per_seed": 0.1},
        {"trial_id": None},
        {"started_at": "today"},
        {"started_at": datetime(2026, 11, 23)},
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused_and_nothing_is_written(
    wrong: dict[str, Any], store: Store, make: Callable[..., Any]
) -> None:
    with pytest.raises((ValueError, TypeError)):
        store.append([make(TrialRow, **wrong)])
    assert store.studies() == []


def test_a_loss_that_is_not_finite_can_be_recorded(store: Store, make: Callable[..., Any]) -> None:
    store.append_trial(make(TrialRow), [make(EpochRow, loss=math.nan)])
    assert math.isnan(store.read("epochs")["loss"][0].as_py())
