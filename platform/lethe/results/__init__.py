"""The record of every study: Parquet parts, read as tables, queried with SQL."""

from typing import TYPE_CHECKING

from lethe.errors import SchemaError
from lethe.lazy import loading
from lethe.results.limits import TooLargeError
from lethe.results.part import CorruptPartError
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

if TYPE_CHECKING:
    from lethe.results.compaction import compact, copy_tables
    from lethe.results.sql import QueryError, Results, SameNameWarning, load, query, save_query
    from lethe.results.views import VIEWS
else:
    # Answering queries takes DuckDB and SciPy, and workers only make rows.
    __getattr__, __dir__ = loading(
        __name__,
        globals(),
        {
            "lethe.results.compaction": ("compact", "copy_tables"),
            "lethe.results.sql": ("QueryError", "Results", "SameNameWarning", "load", "query", "save_query"),
            "lethe.results.views": ("VIEWS",),
        },
    )

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
