"""The results of a real study, small, with every view's rows in it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.storage.root import StorageRoot
from lethe.study import read_study

LR = {"low": 1.0e-3, "high": 1.0e-1, "log": True}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that asks for the study leaves its results, for the others."""
    return tmp_path_factory.mktemp("finished") / "results"


@pytest.fixture
def real(finished: Path, write_study: Callable[..., Path]) -> Path:
    """A finished study of two augmentations, two forget requests and two methods; not to be changed."""
    if not finished.exists():
        salun = {
            "name": "salun",
            "epochs": 2,
            "batch_size": 32,
            "search": {"lr": LR, "density": {"low": 0.1, "high": 0.9}},
        }
        study = write_study(
            augmentations=["none", "standard"],
            forget=[{"kind": "random", "fraction": 0.2}, {"kind": "random", "fraction": 0.4}],
            methods=[salun, {"name": "fine_tune", "epochs": 2, "search": {"lr": LR}}],
            audits=[{"name": "clinical", "critical": [1]}],
        )
        with Progress(Console(quiet=True)) as progress:
            StudyRun(read_study(study), StorageRoot.at(finished), progress).run(local=True)
    return finished
