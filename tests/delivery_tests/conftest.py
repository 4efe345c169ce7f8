"""A delivery of a study that takes seconds, made once; tests change copies of it."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.torch import save_file

from lethe.artifacts import (
    ArtifactStore,
    ArtifactWorker,
    Needed,
    UnlearnedModel,
    build_jobs,
    in_order,
    original,
)
from lethe.delivery import Delivered
from lethe.execution.claims import LocalClaims
from lethe.execution.shared_data import SharedData
from lethe.pipeline.confirm import confirmations
from lethe.pipeline.plan import make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store
from lethe.storage.hashing import digest
from lethe.storage.root import StorageRoot
from lethe.study import Resources, Study, parse_study

HOSPITAL: dict[str, Any] = {
    "name": "hospital",
    "data": [{"source": "synthetic", "train": 160, "val": 80, "test": 80, "size": 12, "classes": 3}],
    "forget": [{"kind": "random", "fraction": 0.2, "control": True}],
    "network": {"name": "cnn", "width": 4},
    "training": {"epochs": 6, "batch_size": 16, "lr": 0.1, "precision": "float32"},
    "methods": [{"name": "salun", "epochs": 1, "lr": 0.02, "density": 0.5}],
    "controls": "shown",
    "audits": [{"name": "control"}, {"name": "clinical"}],
    "seeds": {"tuning": [0], "reporting": [1, 2, 3]},
}


def run_here(study: Study, root: StorageRoot) -> None:
    with Progress(Console(quiet=True)) as progress:
        study_run = StudyRun(study, root, progress)
        study_run.run(local=True)
    assert study_run.problems == []


@pytest.fixture(scope="session")
def hospital() -> Callable[..., Study]:
    """Reads the study, with other top-level options where they are given."""
    return lambda **changes: parse_study({**HOSPITAL, **changes}, "study.yaml")


@pytest.fixture(scope="session")
def run() -> Callable[[Study, StorageRoot], None]:
    """Runs a study in this process."""
    return run_here


@dataclass(frozen=True)
class Made:
    """Results with an unlearned model among the artifacts, and the folder of its delivery without certificate."""

    results: Path
    delivered: Delivered

    def copied(self, folder: Path) -> Delivered:
        """Copies results and delivery, for a test that changes them."""
        shutil.copytree(self.results, folder / "results")
        shutil.copytree(self.delivered.folder, folder / "delivery")
        root = StorageRoot.at(folder / "results")
        return replace(self.delivered, root=root, folder=folder / "delivery")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, hospital: Callable[..., Study]) -> Made:
    folder = tmp_path_factory.mktemp("hospital")
    root = StorageRoot.at(folder / "results")
    run_here(hospital(), root)
    plan = make_plan(hospital(), ArtifactStore(root), Store(root))
    row = next(one for one in confirmations(plan.method_searches, plan.trials) if one.row == "salun")
    assert row.method is not None
    scenario, seed = row.scenario, row.seed
    model = UnlearnedModel(original(scenario, seed), scenario, scenario.partition(seed), seed, row.method)
    artifacts = ArtifactStore(root)
    worker = ArtifactWorker(artifacts, SharedData(plan.shared), LocalClaims(), Resources())
    for job in build_jobs([Needed(one, one.kind, scenario, seed) for one in in_order([model])]):
        for _ in worker(job):
            pass
    stored = artifacts.load(model.key)
    assert stored is not None
    (folder / "delivery").mkdir()
    save_file(stored.files["weights"], folder / "delivery" / "weights.safetensors")
    (folder / "delivery" / "load.py").write_text("import torch\n")
    files: Mapping[str, str] = {one.name: digest(one.read_bytes()) for one in (folder / "delivery").iterdir()}
    delivered = Delivered(root, plan.study, model, "salun", row.confirmation_id, folder / "delivery", files)
    return Made(folder / "results", delivered)


@pytest.fixture
def delivered(made: Made, tmp_path: Path) -> Delivered:
    return made.copied(tmp_path)


@pytest.fixture
def key(tmp_path: Path, lethe_here: Callable[..., tuple[int, str]]) -> Path:
    assert lethe_here("key", "new", tmp_path / "hospital.pem")[0] == 0
    return tmp_path / "hospital.pem"


@pytest.fixture
def before() -> Iterator[Callable[[str, str, Callable[[], object]], None]]:
    """Has something done once, before this process's first audit event of a kind that is about a path: see `Fault`."""
    waiting: list[tuple[str, str, Callable[[], object]]] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if waiting and event == waiting[0][0] and waiting[0][1] in str(arguments[0]):
            waiting.pop()[2]()

    sys.addaudithook(hook)
    yield lambda event, about, do: waiting.append((event, about, do))
    waiting.clear()
