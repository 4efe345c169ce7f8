"""Rows of every type with plain values, to be changed where a test cares."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lethe.place import Place
from lethe.results import ArtifactRow, ConfirmationRow, EpochRow, Row, Store, TrialRow

STUDY = {"study": "s", "dataset": "bloodmnist", "arm": "none", "network": "resnet18"}

QUESTION = STUDY | {
    "question": "q",
    "forget": "random 10 %",
    "forget_kind": "random",
    "forget_fraction": 0.1,
    "forget_images": 1196,
}

PROVENANCE = {
    "seconds_total": 5.5,
    "peak_memory_bytes": 1 << 33,
    "device": "cpu",
    "worker": "local",
    "node": "here",
    "lethe_version": "0.1.0",
    "python_version": "3.11.7",
    "torch_version": "2.13.0",
    "started_at": datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC),
    "ended_at": datetime(2026, 11, 23, 9, 31, tzinfo=UTC),
}

SETTING = {"method": "salun", "lr": 0.013, "density": 0.5, "epochs": 10, "setting": '{"name": "salun", "lr": 0.013}'}

SECONDS = {"seconds_unlearn": 3.0, "seconds_evaluate": 1.0, "seconds_attack": 0.5}

VALUES: dict[type[Row], dict[str, Any]] = {
    TrialRow: QUESTION
    | SETTING
    | PROVENANCE
    | SECONDS
    | {
        "trial_id": "t0",
        "cell": "c",
        "number": 0,
        "study_seed": 0,
        "training_seeds": [0, 1],
        "unlearning_seeds": [2**62, 7],
        "status": "done",
        "epochs_done": 10,
        "ua": 0.25,
        "gap": 0.1,
        "gap_per_seed": [0.05, 0.15],
        "originals": ["a", "b"],
        "oracles": ["d", "e"],
        "seconds_load": 0.5,
    },
    EpochRow: SECONDS | {"study": "s", "trial_id": "t0", "cell": "c", "epoch": 1, "loss": 0.7, "gap_per_seed": []},
    ConfirmationRow: QUESTION
    | SETTING
    | PROVENANCE
    | {
        "confirmation_id": "k0",
        "row": "salun",
        "training_seed": 1,
        "status": "done",
        "mia_nonmembers": "val",
        "recall_per_class": [0.5, 1.0],
        "original": "a",
        "oracle": "d",
    },
    ArtifactRow: STUDY
    | PROVENANCE
    | {"artifact_id": "a", "kind": "original", "training_seed": 1, "uri": "pool/a", "bytes": 10},
}


@pytest.fixture
def make() -> Callable[..., Any]:
    """Makes a row of a type, with some values changed."""

    def row(row_type: type[Row], **changes: Any) -> Row:
        return row_type(**VALUES[row_type] | changes)

    return row


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Place.at(tmp_path / "results"))
