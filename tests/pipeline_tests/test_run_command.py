"""The command as users run it, in processes of its own: on Ray, killed, and with wrong input."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forked_lethe import Fault, ForkedLethe, ended

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import read_study

Lethe = Callable[..., ForkedLethe]
LetheHere = Callable[..., tuple[int, str]]
WriteStudy = Callable[..., Path]
NUMBERS = (
    "select number, lr, density, threshold, ua, ra, va, mia, gap, status from trials order by method_search, number"
)


def numbers(results: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = query(NUMBERS, results).to_pylist()
    return records


def undisturbed(study: Path, results: Path) -> list[dict[str, Any]]:
    from rich.console import Console

    with Progress(Console(quiet=True)) as progress:
        StudyRun(read_study(study), StorageRoot.at(results), progress).run(local=True)
    return numbers(results)


def test_two_ray_workers_give_the_same_numbers_as_one_process_and_stay_warm(
    ray_environment: dict[str, str], write_study: WriteStudy, lethe_here: LetheHere, tmp_path: Path
) -> None:
    """In a process of its own, whose two outputs are two: one document, and the progress."""
    study = write_study(search={"trials": 8, "window": 3})
    command = [sys.executable, "-m", "lethe", "run", study, "--results", tmp_path / "ray", "--json"]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env=os.environ | ray_environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "ray") == undisturbed(study, tmp_path / "local")
    [workers] = query("select count(distinct worker) n from trials", tmp_path / "ray").to_pylist()
    assert workers["n"] <= 2

    found = json.loads(done.stdout)
    assert (found["command"], found["answer"]["study"]) == ("run", "tiny")
    (table,) = found["answer"]["tables"]
    assert {row["row"] for row in table["rows"]} >= {"original", "oracle", "salun"}
    assert "confirmed 11/11" in done.stderr
    code, output = lethe_here("plan", study, "--results", tmp_path / "ray", "--json")
    assert code == 0, output
    planned = json.loads(output)["answer"]
    assert planned["complete"]
    assert planned["units"]["confirmations"] == {"planned": 11, "to_do": 0}


def test_a_driver_killed_in_the_search_on_ray_is_continued_without_it_to_the_same_numbers(
    ray_environment: dict[str, str],
    fork: type[ForkedLethe],
    lethe_here: LetheHere,
    write_study: WriteStudy,
    tmp_path: Path,
) -> None:
    """It is killed as it writes what its fifth trial came to."""
    study = write_study(search={"trials": 10, "window": 3}, resources={"workers": 1})
    results = tmp_path / "killed"
    words = ["run", str(study), "--results", str(results)]
    with fork(words, os.environ | ray_environment, fault=Fault("os.rename", "-0004.parquet")) as process:
        assert process.wait(300) == -signal.SIGKILL, process.stdout.read()
    assert len(numbers(results)) == 4
    code, output = lethe_here("run", study, "--results", results, "--local")
    assert code == 0, output
    assert numbers(results) == undisturbed(study, tmp_path / "undisturbed")
    settings = query("select count(*) n, count(distinct setting) m from trials", results).to_pylist()
    assert settings == [{"n": 10, "m": 10}]


def test_early_stopping_ends_with_the_planned_number_of_trials(
    lethe: Lethe, write_study: WriteStudy, tmp_path: Path
) -> None:
    method = {
        "name": "salun",
        "epochs": 4,
        "batch_size": 32,
        "search": {"lr": {"low": 1.0e-4, "high": 1.0, "log": True}},
    }
    search = {"trials": 9, "window": 3, "early_stopping": {"grace_epochs": 1}}
    study = write_study(methods=[method], search=search, resources={"workers": 1})
    code, output = ended(lethe("run", study, "--results", tmp_path / "results"))
    assert code == 0, output
    found = query("select status, min(epochs_done) least from trials group by status", tmp_path / "results").to_pylist()
    statuses = {row["status"]: row["least"] for row in found}
    assert statuses["done"] == 4
    assert statuses.get("stopped", 1) < 4
    assert len(numbers(tmp_path / "results")) == 9


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["methods.0.name=salum"], "salun"),
        (["data.0.source=nowhere"], "unknown data source 'nowhere'; the data sources are medmnist, "),
        (["augmentations=[fancy]"], "'standard'"),
        (["seeds.reporting=[0, 1]"], "share the seeds [0]"),
        (["training.lr='1e-3'"], "training.lr: wanted a number, got the text '1e-3'"),
        (["search.trials=0", "seed=x", "network.width=-1"], "3 errors"),
        (["forget.0={kind: indices, file: /nowhere/list.txt}"], "/nowhere/list.txt"),
    ],
)
def test_a_wrong_study_ends_with_code_2_and_no_traceback(
    lethe_here: LetheHere, write_study: WriteStudy, tmp_path: Path, changes: list[str], told: str
) -> None:
    code, output = lethe_here("run", write_study(), *changes, "--results", tmp_path / "results", "--local")
    assert code == 2
    assert told in output
    assert "Traceback" not in output


def test_a_file_in_the_way_of_the_results_place_is_told(
    lethe_here: LetheHere, write_study: WriteStudy, tmp_path: Path
) -> None:
    (tmp_path / "results").write_text("in the way")
    code, output = lethe_here("run", write_study(), "--results", tmp_path / "results", "--local")
    assert code == 2
    assert "move it away" in output
    assert "Traceback" not in output


def test_plan_query_and_leaderboard_answer_on_the_results_of_a_run(
    lethe_here: LetheHere, write_study: WriteStudy, tmp_path: Path
) -> None:
    study, results = write_study(), tmp_path / "results"
    code, output = lethe_here("plan", study, "--results", results)
    assert code == 0, output
    assert "About" in output
    assert "synthetic, forget random 20 %: 32 of 160 train images, 0 of them added as byte-identical" in output
    undisturbed(study, results)
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    code, output = lethe_here("plan", study, "--results", results)
    assert "About 0 s" in output
    rows = [line.split()[-3:] for line in output.splitlines() if line.split()[:1] in (["trials"], ["confirmations"])]
    assert rows == [["5", "5", "0"], ["11", "11", "0"]]
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    sql = "select method, count(*) n, min(gap) best from trials group by method"
    code, output = lethe_here("query", sql, "--results", results, "--format", "csv")
    assert code == 0
    assert output.splitlines()[0] == "method,n,best"
    assert output.splitlines()[1].startswith("salun,5,")
    code, output = lethe_here("query", "select nothing from trials", "--results", results)
    assert code == 2
    assert "Binder Error" in output
    assert "Traceback" not in output
    code, output = lethe_here("leaderboard", "--results", results, "--study", "other")
    assert code == 2
    assert "studies there: tiny" in output


def test_a_plan_is_shown_where_the_study_could_not_run(
    lethe_here: LetheHere, write_study: WriteStudy, tmp_path: Path
) -> None:
    arguments = ("resources.trial={cpu: 1, gpu: 64}", "--results", tmp_path / "results")
    code, output = lethe_here("plan", write_study(), *arguments)
    assert code == 0, output
    assert ["trials", "5", "0", "5"] in [line.split() for line in output.splitlines()]
    assert "160 train, 80 val, 80 test images of height 12, width 12 and 1 channel, values" in output
    assert "no machine holds what a training (1 CPU, 0 GPU) and a trial (1 CPU, 64 GPU) ask for" in output
