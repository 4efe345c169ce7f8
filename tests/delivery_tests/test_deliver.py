"""From a study and a given classifier to a folder that leaves, and what stands in its way."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import lethe
from lethe.artifacts import ArtifactStore
from lethe.artifacts._recipe import ArtifactKey
from lethe.delivery._deliver import _no_better_than_one_answer
from lethe.report.page import render_page
from lethe.results import query
from lethe.storage.root import StorageRoot
from lethe.storage.signing import new_key
from lethe.storage.writer_lock import writing_study
from unlearning.checkpoints import fitted, read_checkpoint
from unlearning.data import Synthetic, load
from unlearning.models import CNN

LetheHere = Callable[..., tuple[int, str]]
Document = Callable[..., dict[str, Any]]

DATA: dict[str, Any] = {"train": 120, "val": 60, "test": 60, "size": 12, "classes": 3}

STUDY: dict[str, Any] = {
    "name": "ward",
    "data": [{"source": "synthetic", **DATA}],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "network": {"name": "cnn", "width": 2},
    "training": {"epochs": 2, "batch_size": 32, "lr": 0.1, "precision": "float32"},
    "original": {"checkpoint": "model.pt"},
    "methods": [{"name": "fine_tune", "epochs": 1, "lr": 0.05}, {"name": "salun", "epochs": 1, "batch_size": 32}],
    "seeds": {"tuning": [0], "reporting": [1, 2]},
    "audits": [{"name": "perturbed"}],
}


def classifier(seed: int = 7) -> torch.nn.Sequential:
    return CNN(width=2).build(1, 3, seed)


def write(folder: Path, **changes: Any) -> Path:
    """Writes a study and the classifier that it is given."""
    folder.mkdir(exist_ok=True)
    torch.save({"state_dict": classifier()[1].state_dict()}, folder / "model.pt")
    options = {key: value for key, value in (STUDY | changes).items() if value is not None}
    (folder / "study.yaml").write_text(yaml.safe_dump(options))
    return folder / "study.yaml"


@pytest.fixture(scope="module")
def forgotten(tmp_path_factory: pytest.TempPathFactory, lethe_here: LetheHere) -> tuple[Path, int, str]:
    """A folder with a study, its results and its delivery; the exit code and the output of making them."""
    folder = tmp_path_factory.mktemp("ward")
    study = write(folder)
    code, output = lethe_here("forget", study, "--local", "--results", folder / "results", "--out", folder / "out")
    return folder, code, output


@pytest.fixture
def ward(forgotten: tuple[Path, int, str], tmp_path: Path) -> Path:
    """A copy of that folder, to change."""
    shutil.copytree(forgotten[0], tmp_path / "ward")
    return tmp_path / "ward"


def deliver(lethe_here: LetheHere, ward: Path, *options: object, out: str = "out") -> tuple[int, str]:
    return lethe_here("deliver", "--study", "ward", "--results", ward / "results", "--out", ward / out, *options)


def other_row(ward: Path) -> str:
    """Returns the method that was not delivered."""
    row = yaml.safe_load((ward / "out" / "setting.yaml").read_text())["row"]
    return {"fine_tune": "salun", "salun": "fine_tune"}[row]


def test_forgetting_ends_with_a_folder_and_a_verdict(forgotten: tuple[Path, int, str]) -> None:
    folder, code, output = forgotten
    assert code in (0, 1)
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "certificate.html",
        "certificate.json",
        "load.py",
        "program.pt2",
        "setting.yaml",
        "weights.safetensors",
    ]
    assert "unlearned forget random 20 % (24 train images) from the given model" in output
    verdict = json.loads((folder / "out" / "certificate.json").read_text())["verdict"]
    assert f"Verdict: {verdict}." in output
    assert (code == 1) == (verdict == "violation")
    assert "The given model was trained elsewhere" in output
    assert "forgotten" not in output.partition("Delivered:")[2]


def test_the_weights_load_into_the_users_network_and_the_program_computes_their_logits(
    forgotten: tuple[Path, int, str],
) -> None:
    folder, _, _ = forgotten
    network = classifier(seed=1)
    network[1].load_state_dict(load_file(folder / "out" / "weights.safetensors"))
    whole = fitted(read_checkpoint(folder / "out" / "weights.safetensors"), network)
    network.load_state_dict(dict(whole.weights))
    images_NCHW = load(Synthetic(**DATA)).test.images_NCHW
    with torch.no_grad():
        expected_NK = network.eval()(images_NCHW.float() / 255)
    np.save(folder / "images.npy", images_NCHW.numpy())
    code = "import sys, numpy, torch; from load import classify; images = torch.from_numpy(numpy.load(sys.argv[1]))\n"
    code += "numpy.save(sys.argv[2], classify(images).numpy()); print('lethe' in sys.modules)"
    command = [sys.executable, "-B", "-c", code, str(folder / "images.npy"), str(folder / "logits.npy")]
    alone = {"PYTHONPATH": str(folder / "out"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=alone, cwd=folder)
    assert done.stdout == "False\n"
    np.testing.assert_allclose(np.load(folder / "logits.npy"), expected_NK.numpy(), atol=1e-4)
    model = yaml.safe_load((folder / "out" / "setting.yaml").read_text())["model"]
    artifact = ArtifactStore(StorageRoot.at(folder / "results")).load(ArtifactKey("unlearned_model", model))
    assert artifact is not None
    torch.testing.assert_close(artifact.files["logits"]["test"], expected_NK, atol=1e-4, rtol=1e-4)


def test_sql_finds_its_row_and_no_table_has_it(forgotten: tuple[Path, int, str]) -> None:
    results = forgotten[0] / "results"
    [row] = query("from confirmations where role = 'production'", results).to_pylist()
    [(original,)] = [
        (one["artifact_id"],) for one in query("from artifacts where kind = 'given_model'", results).to_pylist()
    ]
    assert row["original"] == original
    assert row["confirmation_id"] not in query("from compared", results)["confirmation_id"].to_pylist()
    seeds = query("select distinct reporting_seeds from leaderboard", results).to_pylist()
    assert seeds == [{"reporting_seeds": [1, 2]}]
    gaps = query(
        "select avg(abs(m.ua - o.ua) + abs(m.ra - o.ra) + abs(m.ta - o.ta) + abs(m.mia - o.mia)) / 4 as gap "
        "from confirmations m, confirmed o where m.role = 'production' and o.row = 'oracle'",
        results,
    ).to_pylist()
    assert row["gap"] == pytest.approx(gaps[0]["gap"])
    assert query("from predictions where confirmation_id like '%-production'", results).num_rows == 24


def test_a_second_call_finds_the_delivery_and_changes_nothing(ward: Path, lethe_here: LetheHere) -> None:
    before = {path.name: path.read_bytes() for path in (ward / "out").iterdir()}
    rows = query("from confirmations", ward / "results").num_rows
    code, output = deliver(lethe_here, ward)
    assert code in (0, 1)
    assert f"Delivered before, and unchanged: {ward / 'out'}" in output
    assert {path.name: path.read_bytes() for path in (ward / "out").iterdir()} == before
    assert query("from confirmations", ward / "results").num_rows == rows


def test_both_commands_print_the_delivery_as_a_document(ward: Path, document: Document) -> None:
    where = ("--results", ward / "results", "--out", ward / "out")
    verdict = json.loads((ward / "out" / "certificate.json").read_text())["verdict"]
    code = int(verdict == "violation")
    found = document("deliver", "--study", "ward", *where, exit_code=code)
    assert len(found["problems"]) == code
    answer = found["answer"]
    assert (answer["study"], answer["results"]) == ("ward", str(ward / "results"))
    made = answer["delivery"]
    [row] = query("select * from confirmations where role = 'production'", ward / "results").to_pylist()
    assert (made["folder"], made["new"], made["verdict"]) == (str(ward / "out"), False, verdict)
    assert (made["model"], made["gap"], made["row"]) == (row["model"], row["gap"], row["row"])
    assert made["made_from"] == {"kind": "given_model", "fingerprint": row["original"]}
    assert made["judgements"][0]["criterion"] == "audits of the setting"
    again = document("forget", ward / "study.yaml", "--local", *where, exit_code=code)["answer"]
    assert again["delivery"] == {**made, "notes": again["delivery"]["notes"]}  # which name the study's files
    assert {line["row"] for line in again["tables"][0]["rows"]} >= {"original", "oracle", made["row"]}


def test_a_delivery_that_is_there_is_not_taken_for_a_signed_one(
    ward: Path, tmp_path: Path, lethe_here: LetheHere
) -> None:
    for name in ("ours.pem", "other.pem"):
        new_key(tmp_path / name)
    code, output = deliver(lethe_here, ward, "--key", tmp_path / "ours.pem")
    assert (code, "its certificate is UNSIGNED" in output) == (2, True)
    code, output = deliver(lethe_here, ward, "--requester", "letter 12")
    assert (code, "its certificate names no requester" in output) == (2, True)
    signed = ("--key", tmp_path / "ours.pem", "--requester", "letter 12")
    assert deliver(lethe_here, ward, *signed, out="signed")[0] in (0, 1)
    assert "Delivered before, and unchanged" in deliver(lethe_here, ward, *signed, out="signed")[1]
    assert "Delivered before, and unchanged" in deliver(lethe_here, ward, out="signed")[1]
    code, output = deliver(lethe_here, ward, "--key", tmp_path / "other.pem", out="signed")
    assert (code, "is signed by another key" in output) == (2, True)
    code, output = deliver(lethe_here, ward, "--requester", "letter 13", out="signed")
    assert (code, "names another requester" in output) == (2, True)


def test_a_key_that_cannot_be_read_is_an_error_before_anything_runs(tmp_path: Path, lethe_here: LetheHere) -> None:
    results = ("--results", tmp_path / "results")
    code, output = lethe_here("forget", write(tmp_path), "--local", *results, "--key", tmp_path / "none.pem")
    assert (code, "none.pem: cannot read the key" in output) == (2, True)
    assert not (tmp_path / "results").exists()


def test_what_leaves_names_the_kind_of_request_and_no_label(forgotten: tuple[Path, int, str]) -> None:
    """A label holds the condition of a query, which may name people, or the file name of a list."""
    said = (forgotten[0] / "out" / "setting.yaml").read_text()
    assert yaml.safe_load(said)["request"] == "random"
    assert "random 20 %" not in said


def test_another_model_needs_another_folder(ward: Path, lethe_here: LetheHere) -> None:
    other = other_row(ward)
    code, output = deliver(lethe_here, ward, "--method", other)
    assert code == 2
    assert "holds another model" in output
    assert "name another folder with --out" in output
    code, output = deliver(lethe_here, ward, "--method", other, out="other")
    assert code in (0, 1)
    assert f"{other} was asked for." in output
    assert yaml.safe_load((ward / "other" / "setting.yaml").read_text())["row"] == other


def test_a_changed_delivery_and_a_folder_of_something_else_are_refused(ward: Path, lethe_here: LetheHere) -> None:
    weights = ward / "out" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "is not what was delivered: weights.safetensors has changed." in deliver(lethe_here, ward)[1]
    (ward / "mine").mkdir()
    (ward / "mine" / "notes.txt").write_text("mine")
    code, output = deliver(lethe_here, ward, out="mine")
    assert (code, "holds files and no delivery" in output) == (2, True)
    assert [path.name for path in (ward / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--method", "scrub"), "no method scrub; methods: "),
        (("--method", "salun random mask"), "no method salun random mask, a control or reference that is never"),
        (("--method", "oracle"), "a control or reference that is never delivered"),
        (("--scenario", "ffff"), "wanted a scenario whose fingerprint begins with ffff, got 0 of 1"),
    ],
)
def test_what_cannot_be_delivered_is_said(
    forgotten: tuple[Path, int, str], lethe_here: LetheHere, options: tuple[str, ...], said: str
) -> None:
    code, output = deliver(lethe_here, forgotten[0], *options, out="none")
    assert code == 2
    assert said in output
    assert not (forgotten[0] / "none").exists()


def test_a_study_that_was_not_run(forgotten: tuple[Path, int, str], lethe_here: LetheHere) -> None:
    results = forgotten[0] / "results"
    code, output = lethe_here("deliver", "--study", "other", "--results", results)
    assert (code, "no study other was run" in output, "studies there: ward" in output) == (2, True, True)


def test_the_page_has_the_verdict_of_the_certificate(forgotten: tuple[Path, int, str]) -> None:
    folder = forgotten[0]
    said = json.loads((folder / "out" / "certificate.json").read_text())
    html = render_page(StorageRoot.at(folder / "results"), None, images=False).html
    line = (
        f"Delivered: model {said['models']['delivered']['fingerprint'][:8]} ({said['setting']['row']}), 24 of 120 "
        f"train images to be forgotten, verdict: {said['verdict']} (certificate of {said['made_at'][:10]} "
    )
    assert html.count(line) == 1
    classes = "said violation" if said["verdict"] == "violation" else "said"
    assert f'<p class="{classes}">{line}' in html


def test_without_a_given_model_the_original_of_a_reporting_seed_is_delivered(ward: Path) -> None:
    """It is the model that the table has on that seed; the gap is to the oracles of the other seeds."""
    study = write(ward, original=None, deliver={"seed": 2})
    found = lethe.forget(study, ward / "results", local=True, out=ward / "own", method="fine_tune")
    assert found.model.start.kind == "trained_model"
    [of_seed] = query("from confirmed where row = 'fine_tune' and training_seed = 2", ward / "results").to_pylist()
    assert (found.row.ua, found.row.ta, found.row.mia) == (of_seed["ua"], of_seed["ta"], of_seed["mia"])
    assert found.row.original == of_seed["original"]
    [oracle] = query("from confirmed where row = 'oracle' and training_seed = 1", ward / "results").to_pylist()
    expected = sum(abs(getattr(found.row, name) - oracle[name]) for name in ("ua", "ra", "ta", "mia")) / 4
    assert found.row.gap == pytest.approx(expected)


def test_the_delivered_weights_are_the_next_original(ward: Path, lethe_here: LetheHere) -> None:
    study = write(ward, original={"checkpoint": "out/weights.safetensors"})
    found = lethe.forget(study, ward / "results", local=True, out=ward / "next", method="fine_tune")
    artifacts = ArtifactStore(StorageRoot.at(ward / "results"))
    start = artifacts.load(found.model.start.key)
    before = artifacts.load(
        ArtifactKey("unlearned_model", yaml.safe_load((ward / "out/setting.yaml").read_text())["model"])
    )
    assert start is not None
    assert before is not None
    assert all(torch.equal(start.files["weights"][name], one) for name, one in before.files["weights"].items())


def test_a_given_model_that_is_not_run_as_it_was_trained_is_said(ward: Path, lethe_here: LetheHere) -> None:
    """One answer to all images is what a network gives to images that are normalised in another way."""
    study, constant = write(ward, methods=STUDY["methods"][:1]), classifier()
    with torch.no_grad():
        list(constant.parameters())[-1].add_(torch.tensor([1000.0, 0.0, 0.0]))
    torch.save(constant[1].state_dict(), ward / "model.pt")
    output = lethe_here("forget", study, "--local", "--results", ward / "results", "--out", ward / "constant")[1]
    assert "The given model is right no more often than one answer for every test image (33.3 %)" in output
    images = load(Synthetic(**DATA))
    assert list(_no_better_than_one_answer(20 / 60, images))
    assert not list(_no_better_than_one_answer(21 / 60, images))


def test_how_images_are_normalised_is_said_before_and_written_down(
    forgotten: tuple[Path, int, str], ward: Path, lethe_here: LetheHere
) -> None:
    folder, _, output = forgotten
    assert "original: images reach it normalised by mean and standard deviation of the study's train images" in output
    said = yaml.safe_load((folder / "out" / "setting.yaml").read_text())["normalise"]
    pixels = load(Synthetic(**DATA)).train.images_NCHW.double() / 255
    assert said == {
        "mean": [pytest.approx(pixels.mean().item())],
        "std": [pytest.approx(pixels.std().item(), rel=1e-3)],
    }
    named = write(ward, network=STUDY["network"] | {"normalise": "none"})
    for study in (named, write(ward, original={"checkpoint": "out/weights.safetensors"})):
        assert "images reach it" not in lethe_here("plan", study, "--results", ward / "results")[1]


def test_where_every_method_diverged_there_is_none_to_deliver(ward: Path, lethe_here: LetheHere) -> None:
    study = write(ward, methods=[{"name": "fine_tune", "epochs": 1, "lr": 1.0e30}])
    results = ("--results", ward / "results", "--out", ward / "none")
    code, output = lethe_here("forget", study, "--local", *results)
    assert code == 2
    assert "no method has a gap on every reporting seed, so there is none to deliver" in output
    assert not (ward / "none").exists()


def test_after_a_purge_the_delivery_is_found_and_another_is_not_made(ward: Path, lethe_here: LetheHere) -> None:
    row = yaml.safe_load((ward / "out" / "setting.yaml").read_text())["row"]
    purge = ("purge", "--study", "ward", "--request", "random 20 %", "--results", ward / "results")
    listed = lethe_here(*purge)[1]
    assert "given model: artifacts/given_model/" in listed
    assert "given weights: artifacts/given_weights/" in listed
    assert lethe_here(*purge, "--yes")[0] == 0
    assert f"Delivered before, and unchanged: {ward / 'out'}" in deliver(lethe_here, ward)[1]
    other = {"fine_tune": "salun", "salun": "fine_tune"}[row]
    code, output = deliver(lethe_here, ward, "--method", other, out="other")
    assert code == 2
    assert "this would make again" in output
    assert not (ward / "other").exists()


@pytest.mark.parametrize("command", ["plan", "forget"])
def test_a_checkpoint_of_another_network_is_refused_before_anything_is_trained(
    tmp_path: Path, lethe_here: LetheHere, command: str
) -> None:
    study = write(tmp_path)
    torch.save(CNN(width=3).build(1, 3, 0)[1].state_dict(), tmp_path / "model.pt")
    local = ("--local",) if command == "forget" else ()
    code, output = lethe_here(command, study, *local, "--results", tmp_path / "results")
    assert code == 2
    assert "ward: original.checkpoint" in output
    assert "have another shape" in output
    assert not (tmp_path / "results" / "artifacts").exists()


def test_of_a_stream_the_last_request_is_met_and_all_of_them_are_measured(
    tmp_path: Path, lethe_here: LetheHere
) -> None:
    stream = {"kind": "stream", "of": {"kind": "random", "fraction": 0.2}, "steps": 2}
    changes = {"forget": [stream], "methods": STUDY["methods"][:1], "audits": None}
    where = ("--local", "--results", tmp_path / "results")
    given = write(tmp_path, **changes)
    code, output = lethe_here("forget", given, *where, "--out", tmp_path / "given")
    assert code == 0, output
    assert "unlearned forget random 20 %, requests 1-2 of 2 (24 train images) from the given model" in output
    certificate = json.loads((tmp_path / "given" / "certificate.json").read_text())
    assert certificate["request"]["images"] == 12
    assert "Delivered before, and unchanged" in lethe_here("forget", given, *where, "--out", tmp_path / "given")[1]
    given.write_text(yaml.safe_dump({**yaml.safe_load(given.read_text()), "original": None}))
    code, output = lethe_here("forget", given, *where, "--out", tmp_path / "ours")
    assert code == 0, output
    assert "from the unlearned model" in output
    chain = query(
        "select model from confirmations where row = 'fine_tune' and forget like '%1-2%' and training_seed = 1"
        " and role is distinct from 'production'",
        tmp_path / "results",
    )["model"].to_pylist()
    assert (
        json.loads((tmp_path / "ours" / "certificate.json").read_text())["models"]["delivered"]["fingerprint"] in chain
    )


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_certificate_by_other_criteria_is_made_anew_and_the_earlier_delivery_is_kept(
    ward: Path, lethe_here: LetheHere, document: Document
) -> None:
    new_key(ward / "key.pem")
    before = files_in(ward / "out")
    row = yaml.safe_load(before["setting.yaml"])["row"]
    changed = ("forget", write(ward, margin=0.02), "--local", "--results", ward / "results", "--method", row)
    answer = document(*changed, "--out", ward / "out", "--key", ward / "key.pem", exit_code=code_of(ward))["answer"]
    aside = Path(answer["delivery"]["replaced"])
    assert files_in(aside) == before
    assert json.loads((ward / "out" / "certificate.json").read_text())["criteria"]["margin"] == 0.02
    assert lethe_here("verify", aside)[0] == lethe_here("verify", ward / "out")[0] == 0
    audited = ("forget", write(ward, audits=[{"name": "perturbed"}, {"name": "head_probe"}]), *changed[2:])
    code, output = lethe_here(*audited, "--out", ward / "out")
    assert (code, "the one there was made with --key, so give that again" in output) == (2, True)
    output = lethe_here(*audited, "--out", ward / "out", "--key", ward / "key.pem")[1]
    assert (
        f"judged by other audits, seeds or margin than the study has now. It is kept, with its files: {ward}" in output
    )
    audits = json.loads((ward / "out" / "certificate.json").read_text())["criteria"]["audits"]
    assert [one["name"] for one in audits] == ["perturbed", "head_probe"]
    assert "Delivered before, and unchanged" in lethe_here(*audited, "--out", ward / "out")[1]
    assert len(list(ward.glob("out*"))) == 3


def code_of(ward: Path) -> int:
    """Returns the exit code of delivering what was delivered."""
    return int(json.loads((ward / "out" / "certificate.json").read_text())["verdict"] == "violation")


def test_another_request_under_the_same_name_is_refused_before_anything_runs(ward: Path, lethe_here: LetheHere) -> None:
    before, rows = files_in(ward / "results" / "artifacts"), query("from studies", ward / "results").num_rows
    where = ("--local", "--results", ward / "results", "--out", ward / "out")
    delivered = {"kind": "random", "fraction": 0.2}
    for other in (
        {"kind": "random", "fraction": 0.3},
        {"kind": "stream", "requests": [delivered, {"kind": "class", "class_index": 0}]},
    ):
        code, output = lethe_here("forget", write(ward, forget=[other]), *where)
        assert (code, "holds what was delivered for another request" in output) == (2, True), output
        assert "request of kind random, 24 of 120 train images" in output
    code, output = lethe_here("forget", write(ward, search={"trials": 3}), *where, "--method", other_row(ward))
    assert (code, "holds another model, that of" in output) == (2, True)
    (ward / "mine").mkdir()
    (ward / "mine" / "notes.txt").write_text("mine")
    code, output = lethe_here("forget", write(ward, name="new"), *where[:-1], ward / "mine")
    assert (code, "holds files and no delivery" in output) == (2, True)
    assert files_in(ward / "results" / "artifacts") == before
    assert query("from studies", ward / "results").num_rows == rows


def test_what_was_delivered_before_another_request_was_run_is_said_to_be_of_another(
    ward: Path, lethe_here: LetheHere
) -> None:
    artifacts = ward / "results" / "artifacts"
    study = write(ward, forget=[{"kind": "random", "fraction": 0.3}])
    code, output = lethe_here("run", study, "--local", "--results", ward / "results")
    assert code == 0, output
    before, delivered = files_in(artifacts), files_in(ward / "out")
    code, output = deliver(lethe_here, ward)
    assert (code, "holds what was delivered for another request" in output) == (2, True), output
    assert "request of kind random, 24 of 120 train images" in output
    assert (files_in(artifacts), files_in(ward / "out")) == (before, delivered)


def test_files_that_were_swapped_are_named(ward: Path, lethe_here: LetheHere) -> None:
    assert deliver(lethe_here, ward, "--method", other_row(ward), out="other")[0] in (0, 1)
    for name in ("weights.safetensors", "program.pt2"):
        (ward / "out" / name).rename(ward / "swapped")
        (ward / "other" / name).rename(ward / "out" / name)
        (ward / "swapped").rename(ward / "other" / name)
    for out in ("out", "other"):
        code, output = lethe_here("verify", ward / out)
        named = [line for line in output.splitlines() if line.startswith("FAILED")]
        assert code == 1
        assert named == [f"FAILED files: {name} has changed." for name in ("program.pt2", "weights.safetensors")]
    (ward / "out" / "certificate.json").write_bytes((ward / "other" / "certificate.json").read_bytes())
    output = lethe_here("verify", ward / "out")[1]
    assert "FAILED files: certificate.html has changed." in output
    assert "FAILED files: setting.yaml has changed." in output


def test_a_pruning_leaves_what_a_delivery_is_being_made_of(ward: Path, lethe_here: LetheHere) -> None:
    before = files_in(ward / "results" / "artifacts")
    assert {name.partition("/")[0] for name in before} >= {"given_model", "given_weights", "unlearned_model"}
    with writing_study(StorageRoot.at(ward / "results"), "ward", on_lost=pytest.fail):
        assert lethe_here("prune", "--results", ward / "results", "--budget", "0", "--yes")[0] == 1
    assert files_in(ward / "results" / "artifacts") == before
