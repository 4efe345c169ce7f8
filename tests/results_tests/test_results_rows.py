"""Columns: each documented, each typed, and every row type read back as it was written."""

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lethe.results import (
    TABLES,
    ConfirmationRow,
    EpochRow,
    Row,
    Store,
    TableName,
    TrialRow,
    compact,
    describe,
    query,
    to_rows,
)
from lethe.results.metric_columns import CLASS_COLUMNS, METRIC_GROUPS, OBJECTIVE_COLUMNS
from lethe.results.part import encode
from lethe.results.schema import Column, schema_of, to_table
from lethe.study import Objective
from unlearning.metrics import BUILT_IN

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
    identities = {"artifacts": "artifact_id", "predictions": "confirmation_id", "recorded_measures": "unit_id"}
    identity = identities.get(table, "study")
    rows = [make(TABLES[table], **{"study": study, identity: study}) for study in ("s", "other")]
    for row in rows:
        store.append([row])
    if table == "epochs":
        store.append([make(TrialRow)])
        store.append([make(TrialRow, study="other")])
    if table in ("predictions", "recorded_measures"):
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


def test_the_metrics_of_columns_look_at_the_images_that_rows_say() -> None:
    columns = {*ConfirmationRow.__dataclass_fields__, *CLASS_COLUMNS.values()}
    groups = {name: metric.groups for name, metric in BUILT_IN.items() if name in columns}
    assert {name: (group,) if group else () for name, group in METRIC_GROUPS.items()} == groups


def test_every_objective_has_its_column_of_a_trial() -> None:
    assert tuple(OBJECTIVE_COLUMNS) == get_args(Objective)
    assert set(OBJECTIVE_COLUMNS.values()) <= TrialRow.__dataclass_fields__.keys()


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


@pytest.mark.parametrize("nan", [math.nan, np.float32("nan")])
def test_a_nan_is_stored_as_null_alone_and_in_a_list(nan: float, store: Store, make: Callable[..., Any]) -> None:
    store.append_trial(make(TrialRow), [make(EpochRow, loss=nan)])
    store.append([make(ConfirmationRow, auc=nan, recall_per_class=[0.9, nan, None])])
    assert store.read("epochs")["loss"].to_pylist() == [None]
    [row] = to_rows(store.read("confirmations"), ConfirmationRow)
    assert (row.auc, row.recall_per_class) == (None, [0.9, None, None])
    answer = query("select count(*) n from confirmations where recall_per_class[2] is null and auc is null", store.root)
    assert answer["n"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("row_type", "wrong"),
    [
        (TrialRow, {"seconds_load": math.nan}),
        (TrialRow, {"gap_per_seed": [0.1, math.nan]}),
        (TrialRow, {"gap": math.inf}),
        (ConfirmationRow, {"recall_per_class": [-math.inf]}),
        (EpochRow, {"loss": np.float64("inf")}),
    ],
)
def test_a_number_that_cannot_be_is_refused_by_its_column(
    row_type: type[Row], wrong: dict[str, Any], store: Store, make: Callable[..., Any]
) -> None:
    with pytest.raises(ValueError, match=f"column {next(iter(wrong))}: wanted a finite number.*, got -?(nan|inf)"):
        store.append([make(row_type, **wrong)])


@pytest.mark.parametrize("table", TABLES)
def test_no_float_column_of_any_table_holds_a_nan(table: TableName, make: Callable[..., Any]) -> None:
    row_type = TABLES[table]
    floats = [one for one in describe(row_type) if one.type in (pa.float64(), pa.list_(pa.float64()))]
    for column in floats:
        is_list = pa.types.is_list(column.type)
        row = make(row_type, **{column.name: [math.nan] if is_list else math.nan})
        if column.nullable_items if is_list else column.nullable:
            assert to_table([row], row_type)[column.name].to_pylist() in ([None], [[None]])
        else:
            with pytest.raises(ValueError, match=f"column {column.name}: wanted a finite number, got nan"):
                to_table([row], row_type)


def test_a_nan_that_an_earlier_version_stored_is_read_as_null_and_compacted_away(
    store: Store, make: Callable[..., Any]
) -> None:
    row = make(ConfirmationRow, gap=0.5, recall_per_class=[0.5, 0.25])
    table = to_table([row], ConfirmationRow)
    for name, values in (("auc", [math.nan]), ("recall_per_class", [[0.5, math.nan]])):
        number = table.schema.get_field_index(name)
        field = table.schema.field(number)
        table = table.set_column(number, field, pa.array(values, field.type))
    store.root.write("tables/confirmations/s/k0.parquet", encode(table))
    for _ in range(2):
        [read] = to_rows(store.read("confirmations"), ConfirmationRow)
        assert (read.auc, read.gap, read.recall_per_class) == (None, 0.5, [0.5, None])
        compact(store, "s")
    [merged] = Path(store.root.address).glob("tables/confirmations/s/merged/*.parquet")
    assert pq.read_table(merged)["recall_per_class"].to_pylist() == [[0.5, None]]
