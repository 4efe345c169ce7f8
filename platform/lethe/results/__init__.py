"""The record of every study: Parquet parts, read as tables, queried with SQL."""

from lethe.results.part import CorruptPartError
from lethe.results.query import QueryError, query
from lethe.results.rows import TABLES, ArtifactRow, ConfirmationRow, EpochRow, PackingRow, Row, TableName, TrialRow
from lethe.results.schema import describe, to_rows
from lethe.results.store import CorruptPartWarning, Store
from lethe.versions import SchemaError

__all__ = [
    "TABLES",
    "ArtifactRow",
    "ConfirmationRow",
    "CorruptPartError",
    "CorruptPartWarning",
    "EpochRow",
    "PackingRow",
    "QueryError",
    "Row",
    "SchemaError",
    "Store",
    "TableName",
    "TrialRow",
    "describe",
    "query",
    "to_rows",
]
