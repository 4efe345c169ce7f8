"""`lethe prune`: what goes, in which order, what a running study keeps, and that the same command makes it again."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from lethe.artifacts import ArtifactKey, ArtifactStore, Stored, stored
from lethe.artifacts._cache import NodeCache
from lethe.cli import app
from lethe.pipeline.prune import Wanted, prunable, prune
from lethe.results import query
from lethe.results.durations import parse_age
from lethe.storage.hashing import digest
from lethe.storage.root import StorageRoot
from lethe.storage.writer_lock import writing_study

STUDY = """
name: small
data: [{source: synthetic, train: 160, val: 80, test: 80, size: 12, classes: 3}]
forget: [{kind: random, fraction: 0.2}]
network: {name: cnn, width: 4}
training: {epochs: 2, batch_size: 32, lr: 0.1, precision: float32}
methods: [{name: salun, epochs: 1, batch_size: 32, lr: 0.02, density: 0.5}]
seeds: {tuning: [0], reporting: [1, 2]}
keep_models: confirmed
"""
NUMBERS = "select confirmation_id, ua, ra, ta, mia, gap, model from confirmations order by confirmation_id"
TORN = "0" * 20


def lethe(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prune")
    (folder / "study.yaml").write_text(STUDY)
    done = lethe("run", folder / "study.yaml", "--results", folder / "results", "--local")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy of the results of a finished study, to prune."""
    shutil.copytree(finished / "results", tmp_path / "results")
    return tmp_path / "results"


def held(results: Path) -> Counter[str]:
    return Counter(one.kind for one in stored(StorageRoot.at(results)))


def test_nothing_goes_where_nothing_is_left_over_and_nothing_is_asked_for(results: Path) -> None:
    before = held(results)
    assert before == {"trained_model": 6, "saliency": 3, "unlearned_model": 6}
    done = lethe("prune", "--results", results, "--yes")
    assert (done.exit_code, done.output.startswith("Deleted 0")) == (0, True)
    assert held(results) == before


def test_what_is_left_over_goes_and_the_checkpoint_of_an_unfinished_training_stays(results: Path) -> None:
    store = ArtifactStore(StorageRoot.at(results))
    finished, torn, broken, *_ = [one.key for one in stored(store.root) if one.kind == "trained_model"]
    store.save_checkpoint(finished, {"a": torch.zeros(9)})
    store.save_checkpoint(ArtifactKey("trained_model", TORN), {"a": torch.zeros(9)})
    (results / "artifacts" / "trained_model" / torn.fingerprint / "manifest.json").unlink()
    stray = results / "artifacts" / "trained_model" / finished.fingerprint / "weights-0000abcd.safetensors"
    stray.write_bytes(b"of a process that died before it wrote the manifest")
    store.quarantine(broken)
    half = results / "tables" / "trials" / "small" / ".t0.parquet.ab12.tmp"
    half.write_bytes(b"half")

    shown = lethe("prune", "--results", results)
    assert "Nothing was deleted: add --yes." in shown.output
    going = held(results)
    assert {kind: going[kind] for kind in ("checkpoints", "unusable", "half_written", "quarantine")} == {
        "checkpoints": 1,
        "unusable": 2,
        "half_written": 1,
        "quarantine": 1,
    }
    done = lethe("prune", "--results", results, "--kinds", "checkpoints, quarantine", "--yes", "--json")
    assert {one["kind"] for one in json.loads(done.stdout)["answer"]["going"]} == {"checkpoints", "quarantine"}
    assert held(results)["unusable"] == 2
    with writing_study(store.root, "another", on_lost=pytest.fail):
        lethe("prune", "--results", results, "--yes")
    assert half.exists()
    assert stray.exists()
    lethe("prune", "--results", results, "--yes")
    assert not half.exists()
    assert not stray.exists()
    assert store.verify(finished) is not None
    assert held(results) == {"trained_model": 4, "saliency": 3, "unlearned_model": 6}
    assert store.checkpoint(ArtifactKey("trained_model", TORN)) is not None


def test_a_budget_takes_what_is_cheap_first_and_trained_models_last(results: Path) -> None:
    root = StorageRoot.at(results)
    everything = stored(root)
    trained = sum(one.size_bytes for one in everything if one.kind == "trained_model")
    budget = f"{trained / 1e3:.3f}KB"
    shown = json.loads(lethe("prune", "--results", results, "--budget", budget, "--json").stdout)["answer"]
    assert {one["kind"] for one in shown["going"]} == {"saliency", "unlearned_model"}
    assert not any(one["deleted"] for one in shown["going"])
    assert shown["held_bytes"] == sum(one.size_bytes for one in everything)
    assert shown["seconds"] == pytest.approx(sum(one.seconds for one in everything if one.kind != "trained_model"))
    rates = [one["seconds"] / one["bytes"] for one in shown["going"]]
    assert rates == sorted(rates)
    assert held(results) == Counter(one.kind for one in everything)

    done = lethe("prune", "--results", results, "--budget", "0", "--yes")
    assert (done.exit_code, held(results)) == (0, {}), done.output


def test_the_same_run_makes_again_what_it_needs_to_the_same_numbers(finished: Path, results: Path) -> None:
    before = query(NUMBERS, results).to_pylist()
    assert lethe("prune", "--results", results, "--kinds", "trained_model,saliency", "--yes").exit_code == 0
    shutil.rmtree(results / "tables" / "confirmations")
    done = lethe("run", finished / "study.yaml", "--results", results, "--local")
    assert done.exit_code == 0, done.output
    assert query(NUMBERS, results).to_pylist() == before
    assert held(results) == held(finished / "results")


def test_only_what_is_old_enough_goes(results: Path) -> None:
    root = StorageRoot.at(results)
    store = ArtifactStore(root)
    one = next(one for one in stored(root) if one.kind == "saliency")
    manifest = store.manifest(one.key)
    assert manifest is not None
    facts = manifest.facts.model_copy(update={"ended_at": datetime.now(UTC) - timedelta(days=31)})
    old = manifest.model_copy(update={"facts": facts})
    (results / "artifacts" / "saliency" / one.name / "manifest.json").write_bytes(old.text())
    assert [found.name for found in prunable(root, Wanted(older_than=parse_age("30d"))).going] == [one.name]
    assert prunable(root, Wanted(older_than=parse_age("5w"))).going == ()


def test_what_a_running_study_needs_stays_and_what_is_of_no_use_to_it_goes(results: Path) -> None:
    root = StorageRoot.at(results)
    own = {one.name for one in stored(root)}
    key = next(one.key for one in stored(root) if one.kind == "saliency")
    source = results / "artifacts" / "saliency" / key.fingerprint
    manifest = ArtifactStore(root).manifest(key)
    assert manifest is not None
    foreign = results / "artifacts" / "saliency" / TORN
    shutil.copytree(source, foreign)
    (foreign / "manifest.json").write_bytes(manifest.model_copy(update={"fingerprint": TORN}).text())
    with writing_study(root, "small", on_lost=pytest.fail):
        done = lethe("prune", "--results", results, "--budget", "1B", "--yes")
    assert done.exit_code == 1
    assert "small is being run by process" in done.stderr
    assert "more than the budget of 0.0KB" in done.stderr
    assert {one.name for one in stored(root)} == own


def test_every_artifact_stays_where_the_needs_of_a_running_study_are_unknown(results: Path) -> None:
    root = StorageRoot.at(results)
    before = held(results)
    with writing_study(root, "another", on_lost=pytest.fail):
        done = lethe("prune", "--results", results, "--budget", "1B", "--yes")
    assert done.exit_code == 1
    assert "it has recorded no specification yet\nSo every artifact stays." in done.stderr
    assert held(results) == before


def test_a_study_that_begins_meanwhile_ends_the_deleting(results: Path) -> None:
    root = StorageRoot.at(results)
    pruning = prunable(root, Wanted(budget_bytes=1))
    running = []

    def begin(one: Stored) -> None:
        running.append(writing_study(root, "small", on_lost=pytest.fail))
        running[-1].__enter__()

    problems = prune(root, pruning, begin)
    assert problems == [f"small began to run meanwhile, so {len(pruning.going) - 1} of {len(pruning.going)} stayed"]
    assert sum(held(results).values()) == len(pruning.going) - 1
    running[0].__exit__(None, None, None)


def test_the_cache_of_results_in_an_object_store_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_CACHE", str(tmp_path / "cache"))
    root = StorageRoot.at("memory://prune-test")
    NodeCache().keep(digest(b"123"), b"123")
    pruning = prunable(root, Wanted())
    assert [(one.kind, one.size_bytes) for one in pruning.going] == [("cache", 3)]
    assert pruning.held_bytes == 0
    assert prune(root, pruning, lambda one: None) == []
    assert NodeCache().get(digest(b"123")) is None


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    done = lethe("prune", "--results", tmp_path / "result")
    assert done.exit_code == 2
    assert "no results in" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--kinds", "salience"),
            "unknown kinds salience; there are checkpoints, unusable, half_written, quarantine, cache, ",
        ),
        (("--older-than", "soon"), "wanted an age such as 12h, 30d or 2w, got 'soon'"),
        (("--budget", ""), "wanted a size such as 500MB or 4GB, got ''"),
        (("--budget", "20"), "wanted a size such as 500MB or 4GB, got '20'"),
    ],
)
def test_wrong_input_is_an_error_and_deletes_nothing(arguments: tuple[str, ...], message: str, results: Path) -> None:
    before = held(results)
    done = lethe("prune", "--results", results, "--yes", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert held(results) == before
