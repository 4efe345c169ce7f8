"""Which columns of rows hold metrics and objectives: plain tables, so that rows are queried without torch."""

from typing import Final

from lethe.results.rows import ConfirmationRow

CLASS_COLUMNS: Final = {"ua_per_class": "ua", "mia_per_class": "mia", "recall_per_class": "recall"}
"""Columns of a confirmation that list the value of each class, by their metric."""

METRIC_GROUPS: Final[dict[str, str | None]] = {
    "ua": "forget",
    "ra": "retain",
    "va": "val",
    "ta": "test",
    "mia": "forget",
    "mia_correctness": "forget",
    "mia_entropy": "forget",
    "mia_modified_entropy": "forget",
    "mia_prob": "forget",
    "mia_balanced_accuracy": "retain",
    "auc": "test",
    "recall": "test",
    "gap": None,
    "tow": None,
}
"""The metrics of a confirmation's columns, with the images that each looks at; None where it is about none of them.

`unlearning.metrics` says the same, and a test compares the two."""

METRIC_COLUMNS: Final = tuple(name for name in METRIC_GROUPS if name in ConfirmationRow.__dataclass_fields__)
"""Metrics with a column of the same name in a confirmation, for the value over all classes."""

OBJECTIVE_COLUMNS: Final = {"gap": "gap", "ua_gap": "ua_gap", "va_drop": "va_drop", "compute": "compute_share"}
"""The column of a trial that holds each objective of a search."""
