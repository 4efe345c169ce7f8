"""Lethe from Python: what `import lethe` gives, and that it is cheap."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

import lethe
from lethe.errors import InputError
from lethe.study import StudyError, read_study, template

WriteStudy = Callable[..., Path]
QUIET = Console(quiet=True)


def in_a_fresh_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_and_its_command_loads_none_of_the_heavy_libraries() -> None:
    heavy = ("torch", "ray", "optuna", "pyarrow", "duckdb", "pydantic", "numpy")
    found = f"[name for name in {heavy} if name in sys.modules]"
    code = f"import sys, lethe, lethe.cli; print({found}, lethe.LetheError.__name__)"
    assert in_a_fresh_python(code) == "[] LetheError"


def test_rays_settings_are_there_before_ray_is_loaded() -> None:
    code = "import os, lethe; before = os.environ['TUNE_DISABLE_SIGINT_HANDLER']; lethe.run; import ray; print(before)"
    assert in_a_fresh_python(code) == "1"


def test_every_public_name_is_there_and_documented() -> None:
    assert set(lethe.__all__) <= set(dir(lethe))
    for name in lethe.__all__:
        assert getattr(lethe, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        lethe.rum  # type: ignore[attr-defined]  # noqa: B018


def test_a_study_is_planned_run_and_asked_from_python(write_study: WriteStudy, tmp_path: Path) -> None:
    study, results = write_study(), tmp_path / "results"
    planned = lethe.plan(study, results)
    assert not planned.plan.complete
    assert not results.exists()
    finished = lethe.run(study, results, overrides=["search.trials=2"], local=True, console=QUIET)
    assert finished.problems == ()
    assert finished.study.search.trials == 2
    board = finished.leaderboard()
    assert "salun" in board["row"].to_pylist()
    assert board["row"].equals(lethe.load(results, "leaderboard")["row"])
    assert finished.query("select count(*) as trials from trials")["trials"].to_pylist() == [2]
    assert lethe.query("select count(*) as trials from trials", results)["trials"].to_pylist() == [2]
    again = lethe.plan(yaml.safe_load(study.read_text()), results, overrides=["search.trials=2"])
    assert again.plan.complete


@pytest.mark.parametrize("form", [str, Path, Path.read_text, lambda path: yaml.safe_load(path.read_text()), read_study])
def test_a_study_comes_as_a_path_as_text_as_a_mapping_or_checked(
    write_study: WriteStudy, tmp_path: Path, form: Callable[[Path], object]
) -> None:
    path = write_study()
    planned = lethe.plan(form(path), tmp_path / "results", overrides=["search.trials=9"])  # type: ignore[arg-type]
    assert planned.plan.study.search.trials == 9
    assert planned.plan.study.data == read_study(path).data
    assert planned.estimate.trial_workers >= 1


def test_a_mapping_that_is_given_is_not_changed(write_study: WriteStudy, tmp_path: Path) -> None:
    options = yaml.safe_load(write_study().read_text())
    before = yaml.safe_dump(options)
    lethe.plan(options, tmp_path / "results", overrides=["search.trials=9", "data.0.size=8"])
    assert yaml.safe_dump(options) == before


def test_what_cannot_be_run_is_refused_before_anything_is_made(write_study: WriteStudy, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with pytest.raises(StudyError, match=r"the study: 1 error\n  serch: no such option here; did you mean search\?"):
        lethe.run(yaml.safe_load(write_study().read_text()) | {"serch": {}}, results)
    with pytest.raises(InputError, match="local and address exclude each other"):
        lethe.run(write_study(), results, local=True, address="auto")
    with pytest.raises(InputError, match="early_stopping needs Ray Tune"):
        lethe.run(write_study(search={"early_stopping": {}}), results, local=True)
    assert not results.exists()


def test_the_study_that_init_prints_runs(tmp_path: Path) -> None:
    smaller = [
        "data.0={source: synthetic, train: 160, val: 80, test: 80, size: 12, classes: 3}",
        "network.width=4",
        "training.epochs=1",
        "training.precision=float32",
        "search.trials=1",
        "seeds.reporting=[1, 2]",
    ]
    finished = lethe.run(template(), tmp_path / "results", overrides=smaller, local=True, console=QUIET)
    assert finished.problems == ()
    assert {"original", "oracle", "salun", "fine_tune"} <= set(finished.leaderboard()["row"].to_pylist())
