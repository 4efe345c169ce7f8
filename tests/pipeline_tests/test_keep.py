"""Which epoch of a run counts: in the trial, in the confirmation, and in what the tables say of both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.results import Store, TrialRow, load
from lethe.study import Study, expand, read_study
from unlearning.data import load as load_data

METHOD: dict[str, Any] = {
    "name": "fine_tune",
    "epochs": 3,
    "batch_size": 16,
    "search": {"lr": {"low": 2e-2, "high": 1.5e-1, "log": True}},
}


def run(path: Path, results: Path) -> str:
    done = CliRunner().invoke(app, ["run", str(path), "--local", "--results", str(results)], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def run_keeping(write_study: Callable[..., Path], results: Path) -> Callable[..., str]:
    def start(keep: str, **search: Any) -> str:
        methods = [METHOD | ({"keep": keep} if keep else {})]
        return run(write_study(methods=methods, search={"trials": 4, "window": 2, **search}), results)

    return start


def rows(results: Path, table: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load(results, table).to_pylist()
    return found


def test_the_best_epoch_counts_in_the_trial_and_ends_the_confirmation(
    run_keeping: Callable[..., str], results: Path
) -> None:
    said = run_keeping("best")
    trials = {row["trial_id"]: row for row in rows(results, "trials")}
    curves: dict[str, dict[int, float]] = {name: {} for name in trials}
    for epoch in rows(results, "epochs"):
        curves[epoch["trial_id"]][epoch["epoch"]] = epoch["gap"]
    for name, trial in trials.items():
        best = min(curves[name], key=lambda epoch: (curves[name][epoch], epoch))
        assert trial["kept_epochs"] == [best]
        assert trial["gap"] == curves[name][best]
        assert trial["epochs_done"] == 3
        assert trial["gap_per_epoch"] == list(curves[name].values())
    [chosen] = {row["trial_id"] for row in rows(results, "confirmations") if row["row"] == "fine_tune"}
    [stopped] = trials[chosen]["kept_epochs"]
    assert stopped < 3
    for row in rows(results, "confirmations"):
        if row["row"] == "fine_tune":
            assert row["kept_epoch"] == stopped
            assert json.loads(row["setting"])["kept_epoch"] == stopped
            assert row["images_unlearn"] == stopped * 128
    assert f"keep best, kept_epoch {stopped}" in " ".join(said.split())


def test_rewinding_runs_all_epochs_and_keeps_one_of_each_run(run_keeping: Callable[..., str], results: Path) -> None:
    said = run_keeping("rewind")
    for trial in rows(results, "trials"):
        assert trial["epochs_done"] == 3
        assert trial["kept_epochs"][0] in range(4)
    confirmed = [row for row in rows(results, "confirmations") if row["row"] == "fine_tune"]
    assert {row["images_unlearn"] for row in confirmed} == {3 * 128}
    assert all("kept_epoch" not in json.loads(row["setting"]) for row in confirmed)
    told = " ".join(said.split())
    returned = ", ".join(str(row["kept_epoch"]) for row in sorted(confirmed, key=lambda row: row["training_seed"]))
    assert "keep rewind" in told
    assert f"fine_tune: of 3 epochs the runs returned to {returned}, on seeds 1, 2; 0 is the original." in told


@pytest.mark.parametrize("keep", ["best", "rewind"])
def test_a_search_that_keeps_an_epoch_continues_to_the_rows_of_an_undisturbed_one(
    run_keeping: Callable[..., str], write_study: Callable[..., Path], results: Path, tmp_path: Path, keep: str
) -> None:
    run_keeping(keep, trials=2)
    run_keeping(keep, trials=6, startup=4)
    study = write_study(methods=[METHOD | {"keep": keep}], search={"trials": 6, "window": 2})
    run(study, tmp_path / "elsewhere")
    columns = ("number", "setting", "gap", "kept_epochs", "proposed_by")

    def told(place: Path) -> list[tuple[Any, ...]]:
        found = sorted(rows(place, "trials"), key=lambda row: row["number"])
        return [tuple(row[column] for column in columns) for row in found]

    assert told(results) == told(tmp_path / "elsewhere")


def test_the_gap_of_a_setting_is_that_of_one_epoch_on_all_seeds_that_it_ran_on(
    store: Store, make: Callable[..., Any]
) -> None:
    curves = {0: [0.1, 0.2, 0.3], 1: [0.8, 0.3, 0.1]}
    for at, curve in curves.items():
        common = {"status": "done", "copied_from": None, "setting": "{}", "number": 0, "method_search": "m"}
        own = {"round": at, "training_seeds": [at], "gap": min(curve), "gap_per_seed": [min(curve)]}
        store.append_trial(make(TrialRow, **common | own, trial_id=f"t{at}", gap_per_epoch=curve), [])
    [setting] = load(store.root, "tried_settings").to_pylist()
    assert setting["gap_per_seed"] == [0.3, 0.1]
    assert setting["gap"] == 0.2


def test_keeping_the_last_epoch_is_what_a_study_does_that_says_nothing(write_study: Callable[..., Path]) -> None:
    def searches(**method: Any) -> list[tuple[str, str]]:
        study: Study = read_study(write_study(methods=[METHOD | method]))
        found = expand(study, {source: load_data(source) for source in study.data})
        return [(one.fingerprint, one.stream) for one in found]

    [silent], [last], [best], [rewind] = (searches(), *(searches(keep=one) for one in ("last", "best", "rewind")))
    assert silent == last
    assert len({silent[0], best[0], rewind[0]}) == 3
    assert silent[1] == best[1] == rewind[1]
