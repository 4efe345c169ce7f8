"""Unlearned models of confirmed rows stay as artifacts where a study asks for it, within its budget, and change no
number."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from lethe.artifacts import ArtifactKey, ArtifactStore
from lethe.cli import app
from lethe.pipeline.kept_models import GIB
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.study import parse_study, write_study
from unlearning.data import Synthetic, load
from unlearning.models import CNN, NETWORKS

CHANGING = ("worker", "started_at", "ended_at", "peak_memory_bytes", "retrain_share")
"""Columns that differ from run to run, as do seconds."""
METHODS = "method not in ('original', 'oracle')"


def rows(sql: str, results: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = query(sql, results).to_pylist()
    return found


def artifacts(results: Path) -> ArtifactStore:
    return ArtifactStore(StorageRoot.at(results))


def numbers(results: Path) -> list[dict[str, Any]]:
    found = rows("from confirmations order by confirmation_id", results)
    return [
        {name: value for name, value in row.items() if name not in CHANGING and "seconds" not in name} for row in found
    ]


def lethe(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def listed(results: Path) -> list[dict[str, Any]]:
    answer = json.loads(lethe("models", "list", "--results", results, "--json").stdout)["answer"]
    found: list[dict[str, Any]] = answer["models"]
    return found


def kept(results: Path) -> set[str]:
    folder = results / "artifacts" / "unlearned_model"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, lethe_here: Callable[..., tuple[int, str]]) -> dict[str, Path]:
    """The results of the same small study, without kept models, with them, and with room for two and a half."""
    folder = tmp_path_factory.mktemp("kept")
    study = folder / "study.yaml"
    study.write_text(
        "name: small\ndata: [{source: synthetic, train: 160, val: 80, test: 80, size: 12, classes: 3}]\n"
        "forget: [{kind: random, fraction: 0.2}]\nnetwork: {name: cnn, width: 4}\n"
        "training: {epochs: 2, batch_size: 32, lr: 0.1, precision: float32}\n"
        "methods: [{name: salun, epochs: 1, batch_size: 32, lr: 0.02, density: 0.5}]\n"
        "seeds: {tuning: [0], reporting: [1, 2]}\n"
    )
    weights = sum(value.nbytes for value in CNN(width=4).build(1, 3, 0).state_dict().values())
    budget = 2.5 * (weights + 4 * 3 * 320) / GIB
    options = {
        "none": [],
        "all": ["keep_models=confirmed"],
        "some": ["keep_models=confirmed", f"models_gib={budget:.12f}"],
    }
    for name, changes in options.items():
        code, said = lethe_here("run", study, *changes, "--results", folder / name, "--local")
        assert code == 0, said
        (folder / f"{name}.txt").write_text(said)
    return {name: folder / name for name in options}


def test_a_kept_model_has_a_row_and_what_was_measured(runs: dict[str, Path]) -> None:
    found = rows(
        f"select c.*, a.kind, a.bytes, a.ua as kept_ua, a.ta as kept_ta from confirmations c "
        f"join artifacts a on a.artifact_id = c.model where c.{METHODS}",
        runs["all"],
    )
    assert {(row["row"], row["training_seed"]) for row in found} == {
        (row, seed) for row in ("salun", "salun density 1.0", "salun random mask") for seed in (1, 2)
    }
    assert kept(runs["all"]) == {row["model"] for row in found}
    for row in found:
        assert (row["kind"], row["kept_ua"], row["kept_ta"]) == ("unlearned_model", row["ua"], row["ta"])
        stored = artifacts(runs["all"]).load(ArtifactKey("unlearned_model", row["model"]))
        assert stored is not None
        assert stored.manifest.size_bytes == row["bytes"]
        assert stored.files["weights"].keys() == CNN(width=4).build(1, 3, 0).state_dict().keys()


def test_the_models_of_rows_without_a_method_are_the_trained_ones(runs: dict[str, Path]) -> None:
    for row in rows("select * from confirmations where method in ('original', 'oracle')", runs["all"]):
        assert row["model"] == row[row["row"]]


def test_keeping_changes_no_number_and_no_name(runs: dict[str, Path]) -> None:
    assert kept(runs["none"]) == set()
    without, with_models, with_some = (numbers(results) for results in runs.values())
    assert without == with_models == with_some
    ids = [rows("select specification_id, specification from studies", results) for results in runs.values()]
    assert ids[0] == ids[1] == ids[2]


def test_beyond_the_budget_the_models_of_the_largest_gaps_go_and_the_run_says_so(runs: dict[str, Path]) -> None:
    ranked = rows(f"select model from confirmations where {METHODS} order by gap, model", runs["all"])
    assert kept(runs["some"]) == {row["model"] for row in ranked[:2]}
    said = (runs["some"].parent / "some.txt").read_text()
    assert "Unlearned models are kept as they are confirmed: at most 6" in said
    assert "Unlearned models kept: 2" in said
    assert "4 of the largest gaps went" in said
    assert len(rows("from artifacts where kind = 'unlearned_model'", runs["some"])) == 6


def test_models_are_listed_kept_or_not(runs: dict[str, Path]) -> None:
    for name, count in (("none", 0), ("all", 6), ("some", 2)):
        answer = listed(runs[name])
        assert len(answer) == 6
        assert {one["model"] for one in answer if one["kept"]} == kept(runs[name])
        assert [one["bytes"] is not None for one in answer].count(True) == count
    first = listed(runs["all"])[0]
    assert (first["row"], first["seed"]) == ("salun", 1)
    assert first["where"] == str(runs["all"] / "artifacts" / "unlearned_model" / first["model"])
    shown = lethe("models", "list", "--results", runs["some"]).output
    assert all(one["model"] in shown for one in listed(runs["some"]))


def test_a_model_that_was_not_kept_is_made_again_to_the_same_weights(runs: dict[str, Path], tmp_path: Path) -> None:
    files = {}
    for name in ("all", "none"):
        files[name] = tmp_path / f"{name}.safetensors"
        chosen = ("--study", "small", "--method", "salun random mask", "--seed", 2)
        done = lethe("models", "export", *chosen, "--out", files[name], "--results", runs[name])
        assert done.exit_code == 0, done.output
        assert ("made again on cpu" in done.stderr) == (name == "none")
    assert files["all"].read_bytes() == files["none"].read_bytes()
    facts, again = (json.loads(path.with_suffix(".json").read_text()) for path in files.values())
    assert facts["model"] == again["model"]
    assert facts["model"] in kept(runs["all"])
    assert facts["setting"]["mask"] == "random"
    assert kept(runs["none"]) == set()


def test_an_exported_model_predicts_what_its_artifact_says(runs: dict[str, Path], tmp_path: Path) -> None:
    one = listed(runs["all"])[0]
    out = tmp_path / "own.safetensors"
    done = lethe("models", "export", one["model"][:9], "--out", out, "--results", runs["all"], "--json")
    facts = json.loads(done.stdout)["answer"]
    written = json.loads((tmp_path / "own.json").read_text())
    assert facts == {"file": str(out), "sidecar": str(tmp_path / "own.json")} | written
    assert facts["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    options = NETWORKS[facts["network"]["name"]].model_validate(facts["network"])
    network = options.build(facts["channels"], facts["classes"], seed=0)
    network.load_state_dict(load_file(out))
    images_NCHW = load(Synthetic(train=160, val=80, test=80, size=12, classes=3)).test.images_NCHW
    stored = artifacts(runs["all"]).load(ArtifactKey("unlearned_model", one["model"]))
    assert stored is not None
    with torch.inference_mode():
        torch.testing.assert_close(network.eval()(images_NCHW / 255), stored.files["logits"]["test"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a model"),
        (("--method", "salun"), "several models have row salun"),
        (("--method", "scrub", "--seed", 1), "no confirmed model has row scrub, seed 1; there are: salun of small"),
        (("--method", "salun", "--seed", 1, "--out", "own.json"), "wanted a name such as model.safetensors"),
    ],
)
def test_an_export_that_names_no_one_model_is_an_error(
    arguments: tuple[object, ...], message: str, runs: dict[str, Path]
) -> None:
    done = lethe("models", "export", *arguments, "--results", runs["all"])
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_model_whose_original_is_gone_cannot_be_made_again(runs: dict[str, Path], tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(runs["none"], results)
    for row in rows("from artifacts where kind = 'original'", results):
        shutil.rmtree(results / "artifacts" / "trained_model" / row["artifact_id"])
    done = lethe("models", "export", "--method", "salun", "--seed", 1, "--results", results, "-o", tmp_path / "m.st")
    assert done.exit_code == 2
    assert re.search(r"the trained_model .* is gone; `lethe run`", done.stderr)
    assert not (tmp_path / "m.st").exists()


def test_an_option_at_its_default_is_not_written_and_a_wrong_one_is_an_error() -> None:
    study = parse_study(
        {
            "name": "s",
            "data": [{"source": "synthetic"}],
            "forget": [{"kind": "random", "fraction": 0.1}],
            "methods": [{"name": "fine_tune"}],
        },
        "s",
    )
    assert "models" not in write_study(study)
    changed = study.model_copy(update={"keep_models": "confirmed", "models_gib": 2.0})
    assert "keep_models: confirmed\nmodels_gib: 2.0\n" in write_study(changed)
