"""A study whose network and training function are of one package beside it: run here, and read where a job unpacks it.

`execution_tests/test_submit.py` runs such a study on Ray.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from rich.console import Console

import lethe
from lethe.plugins import added_code_of, packages_of, sources_of
from lethe.study import Study, expand, read_study, read_text
from lethe.study import write_study as written_again
from lethe.submit import pack
from unlearning.data import load

METHODS = [{"name": "fine_tune", "epochs": 1, "batch_size": 32}]
FILES = {f"wardcode/{name}.py" for name in ("__init__", "nets", "steps", "training")}


def fingerprints(study: Study) -> list[str]:
    searches = expand(study, {source: load(source) for source in study.data})
    return [one.scenario.fingerprint for one in searches]


def forget_package() -> None:
    """Have Python import the package anew."""
    for name in [one for one in sys.modules if one.partition(".")[0] == "wardcode"]:
        del sys.modules[name]


def test_it_trains_its_network_by_its_function_and_rows_name_both(
    write_study: Callable[..., Path], own_package: dict[str, Any], tmp_path: Path
) -> None:
    written = write_study(methods=METHODS, **own_package)
    finished = lethe.run(written, tmp_path / "results", local=True, console=Console(quiet=True))
    assert finished.problems == ()
    [row] = finished.query("select distinct network, training, training_repeats from leaderboard").to_pylist()
    assert row["network"] == "wardcode.nets:build width 4"
    assert row["training"].startswith("trained by wardcode.training:train(epochs=2) of sources ")
    assert row["training_repeats"]


def test_the_package_travels_once_and_a_job_means_the_same(
    write_study: Callable[..., Path], own_package: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_study(methods=METHODS, **own_package)
    here = read_study(written)
    assert set(sources_of(here)) == FILES
    assert (packages_of(here), added_code_of(here)) == ((), [])
    bundle = pack(written, [], None, tmp_path)
    with ZipFile(bundle.archive) as archive:
        assert sorted(archive.namelist()) == sorted({"study.yaml", *FILES})
        archive.extractall(tmp_path / "there")
    forget_package()
    shutil.rmtree(tmp_path / "wardcode")
    there = read_study(tmp_path / "there" / "study.yaml")
    assert fingerprints(there) == fingerprints(here)
    monkeypatch.chdir(tmp_path / "there")
    stored = read_text(written_again(there), "the study as it was run")
    assert fingerprints(stored) == fingerprints(here)


def test_it_may_lie_in_another_folder_that_the_study_names(
    write_study: Callable[..., Path], own_package: dict[str, Any], tmp_path: Path
) -> None:
    beside = fingerprints(read_study(write_study(methods=METHODS, **own_package)))
    forget_package()
    (tmp_path / "code").mkdir()
    shutil.move(tmp_path / "wardcode", tmp_path / "code")
    named = {key: {**options, "folder": "code"} for key, options in own_package.items()}
    assert fingerprints(read_study(write_study(methods=METHODS, **named))) == beside
