"""What a row of each table says: the one place where a column's name, type, unit and meaning are written down.

The Arrow schemas and the documentation of the columns derive from these classes. Columns have the order of the fields,
those of the last base first. Accuracies, scores and gaps are fractions in [0, 1]; percent is for print.
"""

from typing import Final, Literal

from lethe.results.rows._artifacts import ArtifactRow, CalibrationRow
from lethe.results.rows._columns import ProvenanceColumns, SettingColumns
from lethe.results.rows._confirmations import ConfirmationColumns, ConfirmationRow, MeasureRow, PredictionRow
from lethe.results.rows._images import ImageRow
from lethe.results.rows._studies import BoardRow, PriorsRow, StudyRow
from lethe.results.rows._trials import EpochRow, ProposedBy, TrialRow

SCHEMA_VERSION: Final = 13
"""Raised with every change of the columns; ``part.py`` says how an older part is read."""

RENAMED_COLUMNS: Final = {
    "arm": "augmentation",
    "cell": "method_search",
    "forget_twins": "forget_duplicates",
    "question": "scenario",
    "train_twins": "train_duplicates",
}
"""Names that columns had before version 6, by today's."""

IMAGES: Final = "images"
"""The table that a query with names reads beside those of the results."""

SEVERAL_LABELS: Final = "multi-label, binary-class"
"""The task of images with any number of labels; `unlearning.data.SEVERAL`, which importing here would take torch."""

Row = (
    TrialRow
    | EpochRow
    | ConfirmationRow
    | PredictionRow
    | MeasureRow
    | BoardRow
    | PriorsRow
    | ArtifactRow
    | CalibrationRow
    | StudyRow
)
TableName = Literal[
    "trials",
    "epochs",
    "confirmations",
    "predictions",
    "boards",
    "priors",
    "artifacts",
    "calibrations",
    "studies",
    "recorded_measures",
]

TABLES: Final[dict[TableName, type[Row]]] = {
    "trials": TrialRow,
    "epochs": EpochRow,
    "confirmations": ConfirmationRow,
    "predictions": PredictionRow,
    "boards": BoardRow,
    "priors": PriorsRow,
    "artifacts": ArtifactRow,
    "calibrations": CalibrationRow,
    "studies": StudyRow,
    "recorded_measures": MeasureRow,
}

UNITS: Final[dict[TableName, str]] = {
    "trials": "trial_id",
    "epochs": "trial_id",
    "confirmations": "confirmation_id",
    "predictions": "confirmation_id",
    "boards": "specification_id",
    "priors": "priors_id",
    "artifacts": "artifact_id",
    "calibrations": "packing_id",
    "studies": "specification_id",
    "recorded_measures": "unit_id",
}
"""The column that names the unit of work that a row belongs to; the rows of a unit are written together."""

UNIT_ROWS: Final[dict[TableName, int]] = {
    "trials": 1,
    "epochs": 100_000,
    "confirmations": 1,
    "predictions": 5_000_000,
    "boards": 1_000_000,
    "priors": 1,
    "artifacts": 1,
    "calibrations": 1_000,
    "studies": 1,
    "recorded_measures": 1_000_000,
}
"""The most rows that a unit can have: one, or far more than any study makes of its epochs, images or workers."""

__all__ = [
    "IMAGES",
    "RENAMED_COLUMNS",
    "SCHEMA_VERSION",
    "SEVERAL_LABELS",
    "TABLES",
    "UNITS",
    "UNIT_ROWS",
    "ArtifactRow",
    "BoardRow",
    "CalibrationRow",
    "ConfirmationColumns",
    "ConfirmationRow",
    "EpochRow",
    "ImageRow",
    "MeasureRow",
    "PredictionRow",
    "PriorsRow",
    "ProposedBy",
    "ProvenanceColumns",
    "Row",
    "SettingColumns",
    "StudyRow",
    "TableName",
    "TrialRow",
]
