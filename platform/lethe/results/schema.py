"""From a row's dataclass to its Arrow schema and its documentation; nothing is ever inferred from values.

A row type is a frozen, keyword-only dataclass whose every field is ``Annotated[type, Column(unit, meaning)]``. This
module knows how to read such types, not which of them exist.
"""

import math
import types
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc

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
    """One column of a table: how it is stored and what it means.

    Attributes:
        nullable_items: whether an item of a list may be null.
    """

    name: str
    type: pa.DataType
    nullable: bool
    nullable_items: bool
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
_described = cache(describe)


def to_table(rows: Sequence[RowT], row_type: type[RowT]) -> pa.Table:
    """Put rows into a table of their type's schema; a NaN becomes null.

    Raises:
        ValueError, TypeError: a value does not fit its column, or would be changed by being stored; a NaN where there
            must be a number, or an infinity anywhere, which no measure of Lethe's can be.
    """
    columns = [_array([getattr(row, column.name) for row in rows], column) for column in _described(row_type)]
    return pa.Table.from_arrays(columns, schema=_schema_of(row_type))


def to_rows(table: pa.Table, row_type: type[RowT]) -> list[RowT]:
    """Turn a table of a row type's schema back into rows."""
    return [row_type(**values) for values in table.to_pylist()]


def without_nan(rows: pa.Table) -> pa.Table:
    """Put null in place of every NaN that an earlier version stored, in columns that allow null and in lists."""
    for number, field in enumerate(rows.schema):
        is_list = pa.types.is_list(field.type)
        if not pa.types.is_floating(field.type.value_type if is_list else field.type):
            continue
        column = rows.column(number)
        if (is_list or field.nullable) and pc.any(pc.is_nan(pc.list_flatten(column) if is_list else column)).as_py():
            cleaned = pa.chunked_array([_null_for_nan(chunk) for chunk in column.chunks], field.type)
            rows = rows.set_column(number, field, cleaned)
    return rows


def _null_for_nan(values: pa.Array) -> pa.Array:
    if pa.types.is_list(values.type):
        lists = pa.ListArray.from_arrays(values.offsets, _null_for_nan(values.values), type=values.type)
        return pc.if_else(values.is_valid(), lists, pa.scalar(None, values.type))
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _array(values: list[Any], column: ColumnDescription) -> pa.Array:
    """Store values; pyarrow alone would truncate 1.5 to a whole number and take a time without a zone for UTC."""
    is_list = pa.types.is_list(column.type)
    if pa.types.is_floating(column.type.value_type if is_list else column.type):
        return pa.array([_finite(value, column) for value in values], column.type)
    array = pa.array(values, column.type)
    if array.to_pylist() != values:
        raise ValueError(f"column {column.name}: wanted values of {column.type}, got {values}")
    return array


def _finite(value: Any, column: ColumnDescription) -> Any:
    """Put null in place of a NaN, alone or in a list."""
    if isinstance(value, list):
        return [_number(item, column, column.nullable_items) for item in value]
    return _number(value, column, column.nullable)


def _number(value: Any, column: ColumnDescription, nullable: bool) -> Any:
    if not isinstance(value, Real) or math.isfinite(value):
        return value
    if nullable and math.isnan(value):
        return None
    wanted = "a finite number or null" if nullable else "a finite number"
    raise ValueError(f"column {column.name}: wanted {wanted}, got {value}")


def _describe(name: str, hint: Any) -> ColumnDescription:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"column {name}: wanted Annotated[type, Column(unit, meaning)], got {hint}")
    options, marker = get_args(hint)
    members = get_args(options) if get_origin(options) in (Union, types.UnionType) else (options,)
    plain = [member for member in members if member is not types.NoneType]
    if len(plain) != 1:
        raise TypeError(f"column {name}: wanted one type, or one type and None, got {options}")
    kind = _arrow_type(plain[0])
    nullable_items = pa.types.is_list(kind) and types.NoneType in get_args(get_args(plain[0])[0])
    return ColumnDescription(name, kind, len(members) > 1, nullable_items, marker.unit, marker.meaning)


def _arrow_type(plain: Any) -> pa.DataType:
    return pa.string() if get_origin(plain) is Literal else _ARROW_TYPES[plain]
