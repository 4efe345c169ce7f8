"""Files of a study that were torn, changed, or written by a Lethe of another version, and what the next run does."""

import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from lethe.cli import app
from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import CorruptPartWarning, Results, Store, query, to_rows
from lethe.results.part import encode
from lethe.results.rows import SCHEMA_VERSION, UNITS
from lethe.results.rows import TABLES as TABLE_ROWS
from lethe.storage.hashing import digest
from lethe.storage.root import StorageRoot
from lethe.study import read_study

WriteStudy = Callable[..., Path]
Rows = list[dict[str, Any]]
TABLES = {
    "trials": "select number, lr, density, ua, ra, va, mia, gap, status from trials order by number",
    "epochs": "select trial_id, epoch, loss, ua, ra, va, mia, gap from epochs order by all",
    "confirmations": "select row, training_seed, ua, ra, ta, mia, gap, trial_id, tuning_trials from confirmations "
    "order by all",
    "artifacts": "select artifact_id, kind, training_seed, loss, va, ta, bytes from artifacts order by all",
}


def run(study: Path, results: Path) -> str:
    """Runs a study to its end; gives what was said."""
    with (results.parent / "said.txt").open("w") as file:
        console = Console(width=120, record=True, file=file)
        with Progress(console) as progress:
            study_run = StudyRun(read_study(study), StorageRoot.at(results), progress)
            study_run.run(local=True)
    assert study_run.problems == []
    return console.export_text()


def found_in(where: Path) -> dict[str, Rows]:
    results = Results(where)
    return {table: results.query(sql).to_pylist() for table, sql in TABLES.items()}


known_of = cache(found_in)
"""What a study that no test changes has found."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test of this file leaves a finished study, for the others to copy."""
    return tmp_path_factory.mktemp("finished") / "results"


@pytest.fixture
def study(write_study: WriteStudy) -> Path:
    return write_study()


@pytest.fixture
def whole(study: Path, finished: Path, tmp_path: Path) -> Path:
    """A finished study."""
    if not finished.exists():
        run(study, finished)
    return Path(shutil.copytree(finished, tmp_path / "results"))


def loosen(results: Path) -> None:
    """Write each unit into a part of its own again, as it had before it was compacted."""
    store = Store(StorageRoot.at(results))
    rows = {table: to_rows(store.read(table), row_type) for table, row_type in TABLE_ROWS.items()}
    shutil.rmtree(results / "tables")
    for table, members in rows.items():
        units: defaultdict[str, list[Any]] = defaultdict(list)
        for row in members:
            units[getattr(row, UNITS[table])].append(row)
        for unit in units.values():
            store.append(unit)


@pytest.fixture
def loose(whole: Path) -> Path:
    """A finished study that was not compacted."""
    loosen(whole)
    return whole


@pytest.fixture
def half(loose: Path) -> Path:
    """A study whose driver was killed after three of five trials, before it had trained all for the reporting seeds."""
    for table in ("trials", "epochs"):
        for path in sorted((loose / "tables" / table / "tiny").iterdir())[3:]:
            path.unlink()
    for table in ("confirmations", "predictions"):
        shutil.rmtree(loose / "tables" / table)
    shutil.rmtree(max((loose / "artifacts" / "saliency").iterdir()))
    return loose


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


DAMAGES = [flip_a_byte, cut_short]
PARTS = ["trials", "epochs", "artifacts", "studies"]
ARTIFACTS = [
    "trained_model/*/weights-*.safetensors",
    "trained_model/*/logits-*.safetensors",
    "trained_model/*/manifest.json",
    "saliency/*/scores-*.safetensors",
]
LABELS = {"trained_model": "(original|oracle)", "saliency": "saliency"}


def check_part_is_mended(
    study: Path, results: Path, table: str, damage: Callable[[Path], None], finished: Path
) -> None:
    part = min((results / "tables" / table / "tiny").rglob("*.parquet"))
    damage(part)
    broken = part.read_bytes()
    with pytest.warns(CorruptPartWarning, match=f"broken part {part}"):
        query(f"select * from {table}", results)
    assert part.read_bytes() == broken, "a reader moved the part"
    said = run(study, results)
    assert f"broken part {part}" in said
    [aside] = (results / "quarantine" / part.parent.relative_to(results)).glob(f"{part.name}.*")
    assert str(aside) in said
    assert aside.read_bytes() == broken
    assert found_in(results) == known_of(finished)
    assert "quarantine" not in run(study, results)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("table", [*PARTS, "confirmations"])
def test_a_broken_part_of_a_finished_study(
    study: Path, loose: Path, finished: Path, table: str, damage: Callable[[Path], None]
) -> None:
    check_part_is_mended(study, loose, table, damage, finished)


@pytest.mark.parametrize("table", [*PARTS, "confirmations"])
def test_a_broken_merged_file_of_a_finished_study(study: Path, whole: Path, finished: Path, table: str) -> None:
    check_part_is_mended(study, whole, table, flip_a_byte, finished)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("table", PARTS)
def test_a_broken_part_of_a_study_that_is_half_done(
    study: Path, half: Path, finished: Path, table: str, damage: Callable[[Path], None]
) -> None:
    check_part_is_mended(study, half, table, damage, finished)


def check_artifact_is_made_again(
    study: Path, results: Path, pattern: str, damage: Callable[[Path], None], finished: Path
) -> None:
    file = min((results / "artifacts").glob(pattern))
    kind, folder, _ = file.relative_to(results / "artifacts").parts
    damage(file)
    broken = file.read_bytes()
    said = run(study, results)
    assert re.search(f"broken {LABELS[kind]}: {re.escape(str(file.parent))}: {file.name}", said)
    [aside] = (results / "quarantine" / "artifacts" / kind).glob(f"{folder}.*")
    assert re.search(f"a broken {LABELS[kind]} was moved to quarantine as {re.escape(str(aside))}", said)
    assert (aside / file.name).read_bytes() == broken
    assert found_in(results) == known_of(finished)
    assert "quarantine" not in run(study, results)


@pytest.mark.parametrize("pattern", ARTIFACTS)
def test_a_truncated_artifact_of_a_finished_study(study: Path, whole: Path, finished: Path, pattern: str) -> None:
    check_artifact_is_made_again(study, whole, pattern, cut_short, finished)


@pytest.mark.parametrize("pattern", ARTIFACTS)
def test_a_truncated_artifact_of_a_study_that_is_half_done(
    study: Path, half: Path, finished: Path, pattern: str
) -> None:
    check_artifact_is_made_again(study, half, pattern, cut_short, finished)


def test_a_manifest_with_a_changed_byte(study: Path, whole: Path, finished: Path) -> None:
    check_artifact_is_made_again(study, whole, "trained_model/*/manifest.json", flip_a_byte, finished)


def test_a_changed_byte_of_a_finished_study_is_left_to_whoever_reads_it(study: Path, whole: Path) -> None:
    """A run that has nothing to do reads sizes and manifests; see the next test for one that reads the bytes."""
    file = min((whole / "artifacts").glob("trained_model/*/weights-*.safetensors"))
    flip_a_byte(file)
    broken = file.read_bytes()
    assert "Everything is there already" in run(study, whole)
    assert file.read_bytes() == broken


def file_of(half: Path, label: str, name: str) -> Path:
    """A file that what is left of a half-done study reads, and no missing artifact requires."""
    scores = min((half / "artifacts" / "saliency").glob("*/scores-*"))
    manifest = json.loads((scores.parent / "manifest.json").read_text())
    [oracle] = {row["oracles"][0] for row in query("select oracles from trials", half).to_pylist()}
    folders = {
        "saliency": scores.parent,
        "original": half / "artifacts" / "trained_model" / manifest["requires"]["model"],
        "oracle": half / "artifacts" / "trained_model" / oracle,
    }
    [file] = folders[label].glob(f"{name}-*")
    return file


@pytest.mark.parametrize(
    ("label", "name"), [("original", "weights"), ("original", "logits"), ("oracle", "weights"), ("saliency", "scores")]
)
def test_a_changed_byte_ends_the_run_that_reads_it_and_the_next_one_makes_the_artifact_again(
    study: Path, half: Path, finished: Path, label: str, name: str
) -> None:
    file = file_of(half, label, name)
    flip_a_byte(file)
    broken = file.read_bytes()
    done = CliRunner().invoke(app, ["run", str(study), "--results", str(half), "--local"])
    said = done.output.replace("\n", "")
    assert done.exit_code == 2, said
    [aside] = (half / "quarantine" / "artifacts" / file.parent.parent.name).glob(f"{file.parent.name}.*")
    assert file.name in said
    assert f"It was moved to {aside}." in said
    assert "The same command makes it again and goes on." in said
    assert (aside / file.name).read_bytes() == broken
    assert query("select count(*) n from trials where status = 'failed'", half).to_pylist() == [{"n": 0}]
    run(study, half)
    assert found_in(half) == known_of(finished)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_journal_costs_nothing(
    study: Path, whole: Path, finished: Path, damage: Callable[[Path], None]
) -> None:
    damage(whole / "optuna/tiny.journal")
    shutil.rmtree(min((whole / "artifacts" / "saliency").iterdir()))
    run(study, whole)
    assert found_in(whole) == known_of(finished)


def test_a_journal_whose_last_line_is_torn_is_set_aside_and_written_anew(
    study: Path, whole: Path, finished: Path
) -> None:
    journal = whole / "optuna/tiny.journal"
    whole_bytes = journal.read_bytes()
    cut_short(journal)
    shutil.rmtree(min((whole / "artifacts" / "saliency").iterdir()))
    said = run(study, whole)
    assert f"the broken journal {journal} was moved to quarantine as" in said.replace("\n", " ")
    assert found_in(whole) == known_of(finished)
    assert len(journal.read_bytes().splitlines()) == len(whole_bytes.splitlines())
    assert "quarantine" not in run(study, whole)


def seal(manifest: dict[str, Any]) -> str:
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return json.dumps(said | {"sha256": digest(json.dumps(said, sort_keys=True).encode())})


def reseal(**changes: object) -> Callable[[Path], None]:
    """Makes what changes a manifest and its own checksum with it."""

    def change(path: Path) -> None:
        path.write_text(seal(json.loads(path.read_text()) | changes))

    return change


def put(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


STRANGE = {
    "null": put(b"null"),
    "list": put(b"[]"),
    "nested": put(b"[" * 100_000),
    "no files": reseal(files={}),
    "a list of files": reseal(files=[]),
    "a text as format": reseal(format="1"),
    "no facts": reseal(facts={}),
}


@pytest.mark.parametrize("damage", STRANGE.values(), ids=STRANGE)
def test_a_strange_manifest_of_a_finished_study(
    study: Path, whole: Path, finished: Path, damage: Callable[[Path], None]
) -> None:
    check_artifact_is_made_again(study, whole, "saliency/*/manifest.json", damage, finished)


def test_a_manifest_that_is_a_pipe_is_set_aside_and_not_waited_for(study: Path, whole: Path, finished: Path) -> None:
    manifest = min((whole / "artifacts" / "saliency").glob("*/manifest.json"))
    manifest.unlink()
    os.mkfifo(manifest)
    said = run(study, whole)
    assert "a broken saliency was moved to quarantine as" in said
    assert found_in(whole) == known_of(finished)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"pid": "x"}', b"[" * 10_000])
def test_a_lease_that_cannot_be_read_is_named_and_taken_over(
    study: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    for name, seconds in (("LOOK_S", 0.05), ("DEAD_S", 0.2)):
        monkeypatch.setattr(f"lethe.storage.writer_lock.{name}", seconds)
    lock = whole / "locks" / "tiny.json"
    lock.parent.mkdir(exist_ok=True)
    lock.write_bytes(content)
    said = run(study, whole)
    assert f"a run whose lock {lock} cannot be read" in said.replace("\n", " ")
    assert "Everything is there already" in said
    assert not lock.exists()


def test_an_artifact_that_breaks_while_a_study_runs_ends_it_and_no_trial_is_blamed(
    study: Path, half: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is changed once the run has looked at it and is about to search."""
    from lethe.pipeline.run import StudySearch

    weights = file_of(half, "oracle", "logits")

    def begin(*arguments: Any) -> StudySearch:
        flip_a_byte(weights)
        return StudySearch(*arguments)

    with monkeypatch.context() as late:
        late.setattr("lethe.pipeline.run.StudySearch", begin)
        done = CliRunner().invoke(app, ["run", str(study), "--results", str(half), "--local"])
    assert done.exit_code == 2, done.output
    assert weights.name in done.output
    assert "The same command makes it again and goes on." in done.output
    assert query("select count(*) n from trials where status = 'failed'", half).to_pylist() == [{"n": 0}]
    run(study, half)
    assert found_in(half) == known_of(finished)


def rewrite_parts(results: Path, version: int, monkeypatch: pytest.MonkeyPatch, drop: tuple[str, ...] = ()) -> None:
    """Write all parts as a Lethe of another version would have."""
    with monkeypatch.context() as other:
        other.setattr("lethe.results.part.SCHEMA_VERSION", version)
        for path in results.glob("tables/**/*.parquet"):
            table = pq.read_table(path)
            kept = [name for name in table.column_names if name not in drop]
            path.write_bytes(encode(table.select(kept)))


def test_the_results_of_an_older_version_are_read_and_continued(
    study: Path, half: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_parts(half, SCHEMA_VERSION - 1, monkeypatch, drop=("cpus", "gpus", "optuna_version"))
    before = query("select count(*) n, count(optuna_version) m from trials", half).to_pylist()
    assert before == [{"n": 3, "m": 0}]
    run(study, half)
    assert found_in(half) == known_of(finished)
    after = query("select count(*) n, count(optuna_version) m from trials", half).to_pylist()
    assert after == [{"n": 5, "m": 2}]


def make_parts_newer(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite_parts(results, SCHEMA_VERSION + 1, monkeypatch)


def make_a_manifest_newer(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = min((results / "artifacts" / "trained_model").glob("*/manifest.json"))
    manifest = json.loads(path.read_text())
    path.write_text(seal(manifest | {"format": manifest["format"] + 1}))


@pytest.mark.parametrize(
    ("make_newer", "commands"),
    [(make_parts_newer, ["run", "plan", "query", "leaderboard"]), (make_a_manifest_newer, ["run", "plan"])],
)
def test_what_a_newer_version_wrote_is_refused_clearly_and_left_as_it_is(
    study: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_newer: Callable[[Path, pytest.MonkeyPatch], None],
    commands: list[str],
) -> None:
    make_newer(whole, monkeypatch)
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    arguments = {
        "run": [str(study), "--local"],
        "plan": [str(study)],
        "query": ["select count(*) from trials"],
        "leaderboard": [],
    }
    for command in commands:
        done = CliRunner().invoke(app, [command, *arguments[command], "--results", str(whole)])
        assert done.exit_code == 2, done.output
        assert "Upgrade lethe" in done.output
        assert str(whole) in done.output
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before
