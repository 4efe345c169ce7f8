"""From a row's dataclass to its Arrow schema and its documentation; nothing is ever inferred from values.

A row type is a frozen, keyword-only dataclass whose every field is ``Annotated[type, Column(unit, meaning)]``. This
module knows how to read such types, not which of them exist.
"""

import types
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RowT = TypeVar("RowT", bound="DataclassInstance")

_ARROW_TYPES: Final[dict[Any, pa.DataType]] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
    list[str]: pa.list_(pa.string()),
    list[int]: pa.list_(pa.int64()),
    list[float]: pa.list_(pa.float64()),
    list[float | None]: pa.list_(pa.float64()),
}


@dataclass(frozen=True)
class Column:
    """What a field of a row means.

    Attributes:
        unit: such as ``s``, ``bytes`` or ``fraction``; empty where there is none.
        meaning: one phrase for the reader of a table.
    """

    unit: str
    meaning: str


@dataclass(frozen=True)
class ColumnDescription:
    """One column of a table: how it is stored and what it means."""

    name: str
    type: pa.DataType
    nullable: bool
    unit: str
    meaning: str


def describe(row_type: "type[DataclassInstance]") -> tuple[ColumnDescription, ...]:
    """Describe the columns of a row type, in the order in which they are stored."""
    hints = get_type_hints(row_type, include_extras=True)
    return tuple(_describe(field.name, hints[field.name]) for field in fields(row_type))


def schema_of(row_type: "type[DataclassInstance]") -> pa.Schema:
    """Derive the Arrow schema of a row type."""
    return pa.schema([pa.field(column.name, column.type, column.nullable) for column in describe(row_type)])


_schema_of = cache(schema_of)


def to_table(rows: Sequence[RowT], row_type: type[RowT]) -> pa.Table:
    """Put rows into a table of their type's schema.

    Raises:
        ValueError, TypeError: a value does not fit its column, or would be changed by being stored.
    """
    schema = _schema_of(row_type)
    columns = [_array([getattr(row, field.name) for row in rows], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def to_rows(table: pa.Table, row_type: type[RowT]) -> list[RowT]:
    """Turn a table of a row type's schema back into rows."""
    return [row_type(**values) for values in table.to_pylist()]


def _array(values: list[Any], field: pa.Field) -> pa.Array:
    """Store values; pyarrow alone would cut 1.5 to a whole number and take a time without a zone for UTC."""
    array = pa.array(values, field.type)
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    if not pa.types.is_floating(kind) and array.to_pylist() != values:
        raise ValueError(f"column {field.name}: wanted values of {field.type}, got {values}")
    return array


def _describe(name: str, hint: Any) -> ColumnDescription:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"column {name}: wanted Annotated[type, Column(unit, meaning)], got {hint}")
    options, marker = get_args(hint)
    members = get_args(options) if get_origin(options) in (Union, types.UnionType) else (options,)
    plain = [member for member in members if member is not types.NoneType]
    if len(plain) != 1:
        raise TypeError(f"column {name}: wanted one type, or one type and None, got {options}")
    return ColumnDescription(name, _arrow_type(plain[0]), len(members) > 1, marker.unit, marker.meaning)


def _arrow_type(plain: Any) -> pa.DataType:
    return pa.string() if get_origin(plain) is Literal else _ARROW_TYPES[plain]
