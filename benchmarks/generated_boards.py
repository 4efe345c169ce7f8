"""Boards of numbers that a benchmark draws, read through the views as users read theirs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from lethe.results import BoardRow, ConfirmationRow
from lethe.results.limits import half_of_memory
from lethe.results.schema import to_table
from lethe.results.sql import Database

_NOW: Final = datetime.now(UTC)
BOARD: Final[dict[str, Any]] = {
    **dict.fromkeys(("data_hash", "forget_hash", "recipe", "training"), ""),
    "specification_id": "y",
    "run_at": _NOW,
    "margin": 0.01,
    "role": "reporting",
    "tuning_seeds": [],
}
"""Columns of a board's row that say nothing here."""

CONFIRMATION: Final[dict[str, Any]] = {
    **dict.fromkeys(
        ("dataset", "augmentation", "network", "forget", "forget_kind", "setting", "original", "oracle"), ""
    ),
    **dict.fromkeys(("device", "worker", "node", "lethe_version", "python_version", "torch_version"), ""),
    **dict.fromkeys(("train_duplicates", "val_dropped", "test_dropped", "forget_images", "forget_duplicates"), 0),
    "forget_fraction": 0.1,
    "seconds_total": 0.0,
    "started_at": _NOW,
    "ended_at": _NOW,
    "status": "done",
    "mia_nonmembers": "test",
    "recall_per_class": [],
}
"""The same of a confirmation's row."""


def tables_of(confirmations: Sequence[ConfirmationRow], boards: Sequence[BoardRow], views: Sequence[str]) -> Database:
    """Return a database of these rows and views; the caller closes its connection."""
    stored = {
        "confirmations": to_table(confirmations, ConfirmationRow),
        "boards": to_table(boards, BoardRow),
    }
    database = Database({}, "", half_of_memory())
    database.add(stored, [*stored, *views])  # type: ignore[arg-type]
    return database
