"""`lethe plan` looks, and leaves everything as it was."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from lethe.artifacts import ArtifactStore
from lethe.cli import app
from lethe.pipeline.plan import make_plan
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store
from lethe.storage.root import StorageRoot
from lethe.study import read_study

WriteStudy = Callable[..., Path]


def everything(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that a command could write to by itself lies in the test's folder."""
    for variable, name in {"HOME": "home", "TMPDIR": "tmp", "LETHE_CACHE": "cache"}.items():
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.delenv("LETHE_DATA", raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_downloads_no_data_and_says_how_to_get_it(home: Path, write_study: WriteStudy) -> None:
    study = write_study(data=[{"source": "medmnist", "name": "bloodmnist"}])
    before = everything(home)
    done = CliRunner().invoke(app, ["plan", str(study)])
    assert done.exit_code == 2, done.output
    assert "bloodmnist: its file is not on this machine, and a plan downloads nothing" in done.output
    assert "lethe data fetch bloodmnist --size 28" in done.output
    assert everything(home) == before


def test_a_plan_before_and_after_a_run_writes_nothing(home: Path, write_study: WriteStudy) -> None:
    study = write_study(search={"trials": 1}, training={"epochs": 1, "precision": "auto"})
    for _ in range(2):
        before = everything(home)
        done = CliRunner().invoke(app, ["plan", str(study)])
        assert done.exit_code == 0, done.output
        assert everything(home) == before
        with Progress(Console(quiet=True)) as progress:
            StudyRun(read_study(study), StorageRoot.at("results"), progress).run(local=True)


def test_a_plan_of_results_in_an_object_store_keeps_no_copies_here(home: Path, write_study: WriteStudy) -> None:
    root = StorageRoot.at(f"memory://{uuid.uuid4().hex}")
    study = read_study(write_study(search={"trials": 1}, training={"epochs": 1}))
    with Progress(Console(quiet=True)) as progress:
        StudyRun(study, root, progress).run(local=True)
    for path in (home / "cache").iterdir():
        path.unlink()
    before = everything(home)
    assert make_plan(study, ArtifactStore(root, keep=False), Store(root), download=False).complete
    assert everything(home) == before


def test_the_lines_of_data_sets_of_one_name_say_which_is_meant(home: Path, write_study: WriteStudy) -> None:
    sizes = {"val": 80, "test": 80, "size": 12, "classes": 3}
    data = [{"source": "synthetic", "train": train, **sizes} for train in (160, 200)]
    root = StorageRoot.at(home / "results")
    plan = make_plan(read_study(write_study(data=data)), ArtifactStore(root), Store(root))
    first, second = (f"synthetic ({one.content_hash[:8]})" for one in plan.datasets)
    assert [line.partition(":")[0] for line in plan.facts] == [first, second]
    assert [line.partition(",")[0] for line in plan.requests] == [first, second]
