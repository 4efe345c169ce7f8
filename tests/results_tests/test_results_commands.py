"""The commands that ask the results, as users call them."""

import csv
import io
import json
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pyarrow.parquet as pq
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from typer.testing import CliRunner, Result

from lethe.cli import app
from lethe.results import ConfirmationRow, EpochRow, Store, TrialRow, load, query
from lethe.storage.writer_lock import writing_study


def lethe(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "120"})


def test_a_query_without_sql_is_a_guide_whose_examples_work(real: Path) -> None:
    done = lethe("query", "--results", real)
    assert done.exit_code == 0, done.output
    for name in ("leaderboard (view)", "sensitivity (view)", "trials (table)", "studies (table)", "MIA-efficacy"):
        assert name in done.output
    commands = [line.strip() for line in done.output.splitlines() if line.startswith("  lethe query")]
    assert len(commands) == 3
    for command in commands:
        sql = command.split('"')[1]
        assert lethe("query", sql, "--results", real).exit_code == 0


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown", "latex", "parquet"])
def test_the_leaderboard_is_written_in_every_format(form: str, real: Path, tmp_path: Path) -> None:
    path = tmp_path / "answer"
    done = lethe("query", "from leaderboard", "--format", form, "-o", path, "--results", real)
    assert (done.exit_code, done.output) == (0, "")
    expected = load(real, "leaderboard")
    if form == "parquet":
        assert pq.read_table(path).equals(expected)
        return
    text = path.read_text()
    assert lethe("query", "from leaderboard", "--format", form, "--results", real).output == text
    if form == "json":
        assert json.loads(text) == expected.to_pylist()
    elif form == "csv":
        assert [row["gap"] for row in csv.DictReader(io.StringIO(text))] == [
            str(gap) for gap in expected["gap"].to_pylist()
        ]
    else:
        rows = [line for line in text.splitlines() if "synthetic" in line]
        assert len(rows) == len(expected)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["from trials", "--format", "parquet"], "name one with --output"),
        (["--save", "mine"], "go with a query"),
        (["--format", "json"], "go with a query"),
        (["from nothing"], "Table with name nothing does not exist"),
        (["from trials", "--save", "trials"], "the name of a table or view"),
        (["copy trials to 'x.csv'"], "wanted one statement that only reads"),
        (["from trials", "-o", "missing/answer.csv"], "cannot write missing/answer.csv: there is no folder missing"),
        (["from trials", "-o", "."], ". is a folder: name a file in it, such as answer.txt"),
        (["from trials", "--memory", "much"], "wanted a size such as 500MB or 4GB, got 'much'"),
        (["from trials", "--timeout", "0"], "wanted a time above 0 s"),
        (["select * from range(10000000)", "--memory", "20MB"], "more memory than the 20.0MB"),
        (["select length(repeat('x', 4000000000)) from trials", "--memory", "100MB"], "more memory than"),
    ],
)
def test_a_wrong_query_is_told_with_exit_code_2(arguments: list[str], told: str, real: Path) -> None:
    done = lethe("query", *arguments, "--results", real)
    assert done.exit_code == 2
    assert told in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("command", [["query"], ["query", "from trials"], ["leaderboard"], ["show", "t0"], ["compact"]])
@pytest.mark.parametrize("kind", ["missing", "empty", "foreign"])
def test_a_place_without_results_is_told_and_left_as_it_is(command: list[str], kind: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    if kind != "missing":
        root.mkdir()
    if kind == "foreign":
        (root / "notes.txt").write_text("no results of Lethe's")
    before = sorted(tmp_path.rglob("*"))
    done = lethe(*command, "--results", root)
    assert done.exit_code == 2
    assert f"no results in {root}" in " ".join(done.output.split())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_trial_is_shown_with_its_setting_curve_models_cost_and_versions(real: Path) -> None:
    best = query("select * from chosen where method = 'salun' limit 1", real).to_pylist()[0]
    [trial] = query(f"select * from trials where trial_id = '{best['trial_id']}'", real).to_pylist()
    done = lethe("show", best["trial_id"], "--results", real)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    for text in ("density", f"{best['density']:.5g}", "curve", f"{trial['gap']:.5g}", "compared with", "confirmed as"):
        assert text in said
    assert "density 0.1 ... 0.9" in said.partition("searched")[2]
    assert "Distribution" not in said
    for name in (*trial["originals"], *trial["oracles"]):
        assert name in done.output
    for text in (trial["torch_version"], trial["device"], f"{trial['seconds_unlearn']:.5g}", "salun random mask"):
        assert text in said


def test_a_confirmation_and_an_artifact_are_shown(real: Path) -> None:
    [one] = query("select * from confirmed where row = 'salun' limit 1", real).to_pylist()
    shown = lethe("show", one["confirmation_id"], "--results", real)
    assert one["oracle"] in shown.output
    assert f"{one['ta']:.5g}" in shown.output
    shown = lethe("show", one["original"], "--results", real)
    assert "used by" in shown.output
    assert "artifact" in shown.output


def test_a_confirmation_is_shown_with_what_audits_found_of_it(store: Store, audited: Callable[..., None]) -> None:
    of_class = {"metric": "own_recall", "test": None, "values": [0.25], "class_index": 0}
    audited("salun", [0.625], of_class, n=72)
    done = lethe("show", "salun-q-1", "--results", store.root)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.partition("audits")[2].split())
    assert "own_auc" in said
    assert "0.625 72" in said
    assert "own_recall" not in said


def test_a_name_that_nothing_has_is_told_with_names_that_are_like_it(real: Path) -> None:
    known = load(real)["trial_id"][0].as_py()
    done = lethe("show", known[:-1], "--results", real)
    assert done.exit_code == 2
    assert known in done.output


def test_compact_merges_each_study_and_leaves_the_rows_as_they_were(store: Store, make: Callable[..., Any]) -> None:
    for study in ("s", "other"):
        for number in range(3):
            name = f"{study}{number}"
            store.append_trial(make(TrialRow, study=study, trial_id=name), [make(EpochRow, study=study, trial_id=name)])
    before = store.read("trials").sort_by("trial_id").to_pylist()
    done = lethe("compact", "--study", "other", "--results", store.root)
    assert (done.exit_code, done.output) == (0, "other: compacted.\n")
    assert len(store.root.child("tables", "trials", "s").names(recursive=True)) == 3
    done = lethe("compact", "--results", store.root)
    assert done.output == "other: compacted.\ns: compacted.\n"
    assert store.read("trials").sort_by("trial_id").to_pylist() == before
    assert len(store.root.child("tables").names(recursive=True)) == 4
    assert lethe("compact", "--study", "nope", "--results", store.root).exit_code == 2


def test_compact_leaves_a_running_study_to_its_run(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    before = store.root.child("tables").stamps(recursive=True)
    with writing_study(store.root, "s", on_lost=print):
        done = lethe("compact", "--results", store.root)
    assert done.exit_code == 0
    assert done.output.startswith("s: left to its run, process ")
    assert store.root.child("tables").stamps(recursive=True) == before


def test_compact_tells_of_what_it_set_aside_with_exit_code_1(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    store.root.write("tables/trials/s/t1.parquet", b"torn")
    done = lethe("compact", "--results", store.root)
    assert done.exit_code == 1
    assert "broken part" in done.output
    assert "moved to quarantine as" in done.output


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_the_searches_are_exported_for_optunas_dashboard_once(kind: str, real: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/optuna.db" if kind == "sqlite" else f"{tmp_path}/optuna.journal"
    done = lethe("export", "optuna", storage, "--results", real)
    assert done.exit_code == 0, done.output
    assert done.output.count(": 5 trials written, 0 there already") == 8
    assert lethe("export", "optuna", storage, "--results", real).output.count("0 trials written, 5 there already") == 8
    opened = optuna.storages.get_storage(storage) if kind == "sqlite" else JournalStorage(JournalFileBackend(storage))
    summaries = optuna.get_all_study_summaries(opened)
    assert len(summaries) == 8
    rows = {row["trial_id"]: row for row in load(real).to_pylist()}
    measured = query("select trial_id, epoch, gap from epochs where gap is not null", real).to_pylist()
    curves: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for one in measured:
        curves[one["trial_id"]][one["epoch"]] = one["gap"]
    for summary in summaries:
        study = optuna.load_study(study_name=summary.study_name, storage=opened)
        for trial in study.trials:
            row = rows[trial.user_attrs["trial_id"]]
            assert trial.state == TrialState.COMPLETE
            assert trial.value == row["gap"]
            assert trial.params["lr"] == row["lr"]
            assert trial.params.get("density") == row["density"] or row["method"] == "fine_tune"
            assert trial.intermediate_values == curves[row["trial_id"]] == {2: row["gap"]}
            assert trial.distributions["lr"] == optuna.distributions.FloatDistribution(1e-3, 1e-1, log=True)
        assert study.best_trial.value == min(trial.value for trial in study.trials)


def test_trials_of_an_early_version_are_left_out_of_an_export_and_told(
    store: Store, make: Callable[..., Any], tmp_path: Path
) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    done = lethe("export", "optuna", f"sqlite:///{tmp_path}/optuna.db", "--results", store.root)
    assert "0 trials written, 0 there already, 1 of an early version left out" in done.output


def test_a_storage_that_cannot_be_opened_is_told(real: Path) -> None:
    done = lethe("export", "optuna", "sqlite:////nowhere/at/all/x.db", "--results", real)
    assert done.exit_code == 2
    assert "cannot open the Optuna storage sqlite:////nowhere/at/all/x.db" in done.output


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown", "latex", "parquet"])
def test_columns_of_one_name_are_all_written_in_every_format_and_said(form: str, real: Path, tmp_path: Path) -> None:
    path = tmp_path / "answer"
    sql = "select 17 as a, 23 as a"
    done = CliRunner().invoke(app, ["query", sql, "--format", form, "-o", str(path), "--results", str(real)])
    assert (done.exit_code, done.output) == (
        0,
        "several columns are named a: the later ones are a_1 in the answer\n",
    )
    if form == "json":
        assert json.loads(path.read_text()) == [{"a": 17, "a_1": 23}]
    elif form == "parquet":
        assert pq.read_table(path).to_pylist() == [{"a": 17, "a_1": 23}]
    else:
        text = path.read_text().replace("\\", "")
        assert all(word in text for word in ("a_1", "17", "23"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "missing/page.html"], "cannot write missing/page.html: there is no folder missing"),
        (["-o", "."], ". is a folder: name a file in it, such as report.html"),
        (["--latex", "missing/tables"], "cannot write missing/tables: there is no folder missing"),
        (["--latex", "file"], "file is a file: name a folder for the tables"),
    ],
)
def test_a_report_that_cannot_be_written_where_it_should_is_told(
    arguments: list[str], told: str, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    done = lethe("report", *arguments, "--results", real)
    assert (done.exit_code, len(done.output.splitlines())) == (2, 1)
    assert told in done.output
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("storage", ["missing/x.journal", ".", "sqlite:///missing/x.db"])
def test_an_export_that_cannot_be_written_where_it_should_is_told(
    storage: str, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = lethe("export", "optuna", storage, "--results", real)
    assert done.exit_code == 2
    assert f"cannot open the Optuna storage {storage}" in done.output


def test_an_answer_goes_into_a_link_or_a_pipe_as_it_is(real: Path, tmp_path: Path) -> None:
    (tmp_path / "goal").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "goal")
    for path in (tmp_path / "link", Path("/dev/null")):
        done = lethe("query", "select 1 as a", "--format", "csv", "-o", path, "--results", real)
        assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "goal").read_text() == "a\n1\n"


def test_an_answer_that_cannot_be_written_is_told_and_the_older_one_stays(real: Path, tmp_path: Path) -> None:
    done = lethe("query", "select 1", "-o", "/proc/answer.csv", "--results", real)
    assert done.exit_code == 2
    assert "cannot write answer.csv" in done.output
    assert "Traceback" not in done.output


def test_control_characters_of_names_reach_no_terminal(store: Store, make: Callable[..., Any]) -> None:
    evil = "\x1b]0;owned\x9b2J\u202ex"
    own = {"dataset": evil, "augmentation": evil, "error": evil}
    store.append([make(TrialRow, epochs_done=0, method=evil, **own)])
    store.append([make(ConfirmationRow, row=evil, gap=0.5, ua=0.5, **own)])
    store.root.write("tables/trials/..\x1b/t1.parquet", b"")
    for command in (
        ["query", "from trials"],
        ["query", "select dataset from trials", "--format", "csv"],
        ["query", f'select "{evil}" from trials'],
        ["leaderboard"],
        ["show", "t0"],
        ["show", "k0"],
        ["show", evil],
    ):
        done = lethe(*command, "--results", store.root)
        assert r"\x1b" in done.output
        assert not set("\x1b\x9b\u202e") & set(done.output)


def test_ctrl_c_ends_a_query_with_a_sentence(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(TrialRow, epochs_done=0)])
    sql = "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7"
    lethe("query", "from trials", "--results", store.root)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    done = lethe("query", sql, "--results", store.root)
    assert (done.exit_code, done.output) == (130, "Interrupted: the query has no answer.\n")
