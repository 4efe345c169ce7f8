"""Trials whose tuning seeds take their steps together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import read_study

SALUN = {
    "name": "salun",
    "epochs": 2,
    "batch_size": 32,
    "keep": "rewind",
    "search": {"lr": {"low": 1.0e-3, "high": 5.0e-2, "log": True}, "density": {"low": 0.2, "high": 0.9}},
}
SSD = {"name": "ssd", "search": {"alpha": {"low": 1.0, "high": 3.0, "log": True}}}


def trials(study: Path, results: Path) -> dict[tuple[str, int], dict[str, Any]]:
    with Progress(Console(quiet=True)) as progress:
        run = StudyRun(read_study(study), StorageRoot.at(results), progress)
        run.run(local=True)
    assert run.problems == []
    answer: pa.Table = query("select * from trials", results)
    return {(row["method"], row["number"]): row for row in answer.to_pylist()}


def test_trials_of_fused_seeds_say_so_and_measure_what_each_seed_by_itself_does(
    write_study: Callable[..., Path], tmp_path: Path
) -> None:
    results, search = tmp_path / "results", {"trials": 2, "sampler": "random", "racing": None}
    options: dict[str, Any] = {"methods": [SALUN, SSD], "seeds": {"tuning": [0, 3, 4], "reporting": [1, 2]}}
    alone = trials(write_study(**options, search=search), results)
    together = trials(write_study(**options, search={**search, "fused": True}, name="fused"), results)
    fused = {name: row for name, row in together.items() if row["study"] == "fused"}
    assert alone.keys() == fused.keys()
    assert {name: row["fused"] for name, row in alone.items()} == dict.fromkeys(alone, 1)
    assert {name: row["fused"] for name, row in fused.items()} == {
        (method, number): 3 if method == "salun" else 1 for method in ("salun", "ssd") for number in (0, 1)
    }
    for name, row in alone.items():
        other = fused[name]
        assert row["method_search"] != other["method_search"]
        for column in ("setting", "training_seeds", "unlearning_seeds", "kept_epochs", "compute_share", "oracles"):
            assert other[column] == row[column], (name, column)
        assert other["gap_per_seed"] == pytest.approx(row["gap_per_seed"], abs=0.01), name
