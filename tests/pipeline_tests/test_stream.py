"""A study of requests that come one after another, run as a whole."""

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.results import load, query

METHODS = [
    {"name": "fine_tune", "epochs": 1, "batch_size": 16, "search": {"lr": {"low": 2e-2, "high": 1.5e-1, "log": True}}},
    {"name": "salun", "epochs": 1, "batch_size": 32, "lr": 0.05},
]
STREAM = {"kind": "stream", "of": {"kind": "random", "fraction": 0.3}, "steps": 3}
HEAD_PROBE = {"name": "head_probe"}


def lethe(command: str, study: Path, results: Path, *options: str) -> str:
    environment = {"COLUMNS": "160"}
    done = CliRunner().invoke(app, [command, str(study), *options, "--results", str(results)], env=environment)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that asks for the study leaves its results, for the others."""
    return tmp_path_factory.mktemp("stream") / "results"


@pytest.fixture
def study(write_study: Callable[..., Path]) -> Path:
    return write_study(
        forget=[STREAM],
        methods=METHODS,
        search={"trials": 2, "window": 1},
        audits=[HEAD_PROBE],
        seeds={"tuning": [0], "reporting": [1, 2, 3]},
    )


@pytest.fixture
def results(place: Path, study: Path) -> Path:
    """The results of the study; not to be changed."""
    if not place.exists():
        planned = lethe("plan", study, place)
        assert "unlearned model                       24        0               24" in planned
        lethe("run", study, place, "--local")
    return place


def rows(results: Path, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = query(sql, results).to_pylist()
    return found


def test_nothing_is_left_to_do(results: Path, study: Path) -> None:
    planned = lethe("plan", study, results)
    assert "unlearned model                       24        24              0" in planned
    assert "Everything is there already" in lethe("run", study, results, "--local")


def test_each_step_begins_with_what_the_one_before_left(results: Path) -> None:
    models = rows(results, "from artifacts where kind = 'unlearned_model' order by forget_images")
    originals = {row["artifact_id"] for row in rows(results, "from artifacts where kind = 'original'")}
    known = {row["artifact_id"]: row for row in models}
    starts = {name: [one for one in row["requires"] if one in known] for name, row in known.items()}
    first = [name for name, own in starts.items() if not own]
    assert all(originals & set(known[name]["requires"]) for name in first)
    assert len(first) == 2 * 3 * 2, "of two methods and three seeds: after the first request, and at once after all"
    for name, own in starts.items():
        for start in own:
            assert known[start]["forget_images"] < known[name]["forget_images"]
            assert known[start]["training_seed"] == known[name]["training_seed"]


def test_every_step_has_its_rows_and_its_own_oracles(results: Path) -> None:
    found = {(row["step"], row["row"]): row for row in rows(results, "from drift")}
    of_methods = ("fine_tune", "salun")
    every = [(step, row) for step in (1, 2, 3) for row in ("original", "oracle", *of_methods)]
    controls = [(1, "salun density 1.0"), (1, "salun random mask")]
    assert set(found) == {*every, *controls, *((3, f"{row} at once") for row in of_methods)}
    assert [found[step, "salun"]["forget_images"] for step in (1, 2, 3)] == [16, 32, 48]
    assert {row["request_images"] for row in found.values()} == {16}
    oracles = rows(results, "select distinct step, oracle from confirmed where row = 'salun'")
    assert len(oracles) == 9
    assert all(row["gap"] is not None and row["seeds"] == 3 for row in found.values())


def test_the_last_request_is_measured_by_itself(results: Path) -> None:
    predicted = rows(
        results,
        "select step, c.row, c.training_seed, image, (label <> predicted)::int as wrong "
        "from confirmed c join predictions p using (study, confirmation_id)",
    )
    withdrawn = {step: {row["image"] for row in predicted if row["step"] == step} for step in (1, 2, 3)}
    for line in rows(results, "from drift"):
        step, name = line["step"], line["row"]
        own = [row for row in predicted if (row["step"], row["row"]) == (step, name)]
        assert line["ua"] == pytest.approx(fmean(row["wrong"] for row in own))
        last = [row["wrong"] for row in own if row["image"] not in withdrawn.get(step - 1, set())]
        assert line["request_ua"] == pytest.approx(fmean(last))


def test_costs_add_up_and_changes_are_paired(results: Path) -> None:
    found = {(row["step"], row["row"]): row for row in rows(results, "from drift")}
    per_step = {
        (row["step"], row["row"]): row
        for row in rows(
            results,
            "select step, row, avg(images_unlearn) as images, avg(seconds_unlearn) as seconds, "
            "avg(images_retrain) as retrain from confirmed group by all",
        )
    }
    for row in ("fine_tune", "salun"):
        for name, of in (
            ("images_so_far", "images"),
            ("seconds_so_far", "seconds"),
            ("images_retrain_so_far", "retrain"),
        ):
            assert found[3, row][name] == pytest.approx(sum(per_step[step, row][of] for step in (1, 2, 3)))
        assert found[1, row]["gap_change"] is None
        assert found[3, row]["gap_change"] == pytest.approx(found[3, row]["gap"] - found[1, row]["gap"])
        assert found[3, row]["gap_change_low"] < found[3, row]["gap_change"] < found[3, row]["gap_change_high"]
        assert found[3, f"{row} at once"]["gap_change"] is None


def test_audits_and_contrasts_see_every_step(results: Path) -> None:
    audited = load(results, "measures").to_pylist()
    steps = {row["confirmation_id"]: row["step"] for row in rows(results, "from confirmed where row = 'salun'")}
    found = {steps[row["unit_id"]] for row in audited if row["unit_id"] in steps and row["audit"] == "head_probe"}
    assert found == {1, 2, 3}
    compared = rows(results, "select first, second from contrasts where second like '%at once'")
    assert {(row["first"], row["second"]) for row in compared} == {
        ("fine_tune", "fine_tune at once"),
        ("salun", "salun at once"),
    }


def test_the_table_shows_the_stream_once(results: Path) -> None:
    shown = CliRunner().invoke(app, ["leaderboard", "--results", str(results)], env={"COLUMNS": "160"}).output
    assert shown.count("3 requests one after another") == 1
    assert "from the first request to the 3rd its gap changed by" in shown
    assert "after  images" in shown


def test_a_model_that_is_gone_is_made_again_and_nothing_is_confirmed_twice(
    results: Path, study: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results, copy)
    [gone, *_] = sorted((copy / "artifacts" / "unlearned_model").iterdir())
    before = load(copy, "confirmations").num_rows
    [weights] = gone.glob("weights*.safetensors")
    content = weights.read_bytes()
    shutil.rmtree(gone)
    lethe("run", study, copy, "--local")
    [again] = gone.glob("weights*.safetensors")
    assert again.read_bytes() == content
    assert load(copy, "confirmations").num_rows == before
