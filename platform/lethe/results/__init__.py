"""The record of every study: Parquet parts, read as tables, queried with SQL."""

from lethe.errors import SchemaError
from lethe.results.compaction import compact, copy_tables
from lethe.results.limits import TooLargeError
from lethe.results.part import CorruptPartError
from lethe.results.query import QueryError, Results, SameNameWarning, load, query, save_query
from lethe.results.rows import (
    TABLES,
    ArtifactRow,
    BoardRow,
    CalibrationRow,
    ConfirmationRow,
    EpochRow,
    MeasureRow,
    PredictionRow,
    PriorsRow,
    Row,
    StudyRow,
    TableName,
    TrialRow,
)
from lethe.results.schema import describe, to_rows
from lethe.results.store import CorruptPartWarning, ForeignFolderWarning, ResultsWarning, Store
from lethe.results.views import VIEWS

__all__ = [
    "TABLES",
    "VIEWS",
    "ArtifactRow",
    "BoardRow",
    "CalibrationRow",
    "ConfirmationRow",
    "CorruptPartError",
    "CorruptPartWarning",
    "EpochRow",
    "ForeignFolderWarning",
    "MeasureRow",
    "PredictionRow",
    "PriorsRow",
    "QueryError",
    "Results",
    "ResultsWarning",
    "Row",
    "SameNameWarning",
    "SchemaError",
    "Store",
    "StudyRow",
    "TableName",
    "TooLargeError",
    "TrialRow",
    "compact",
    "copy_tables",
    "describe",
    "load",
    "query",
    "save_query",
    "to_rows",
]
