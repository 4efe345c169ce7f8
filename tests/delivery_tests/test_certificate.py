"""What a certificate says, held against the tables that it is made of."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from safetensors.torch import load_file, save_file

from lethe.artifacts import ArtifactStore
from lethe.delivery import Delivered
from lethe.delivery.certificate import certificate_schema, write_certificate
from lethe.delivery.certificate._document import Judgement, Verdict
from lethe.delivery.certificate._judgement import overall
from lethe.errors import InputError
from lethe.results import Store, StudyRow, load, to_rows
from lethe.storage.hashing import digest
from lethe.study import parse_study

VERDICTS = set(get_args(Verdict))


def certify(delivered: Delivered, requester: str | None = "Mrs Miller", key: Path | None = None) -> dict[str, Any]:
    write_certificate(delivered, requester=requester, key=key)
    said: dict[str, Any] = json.loads((delivered.folder / "certificate.json").read_text())
    return said


def changed(delivered: Delivered, name: str, content: bytes) -> Delivered:
    (delivered.folder / name).write_bytes(content)
    return replace(delivered, files={**delivered.files, name: digest(content)})


def test_it_fits_its_published_schema(delivered: Delivered, lethe_here: Callable[..., tuple[int, str]]) -> None:
    code, printed = lethe_here("schema", "--certificate")
    schema = json.loads(printed)
    assert code == 0
    assert schema == certificate_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(certify(delivered), schema)


def test_its_numbers_are_those_of_the_tables(delivered: Delivered) -> None:
    said = certify(delivered)
    root, parts = delivered.root, delivered.model.parts
    [line] = [one for one in load(root, "leaderboard").to_pylist() if one["row"] == "salun"]
    shown = {one["row"]: one for one in said["gap"]["rows"]}
    assert shown["salun"]["gap"] == line["gap"]
    assert (said["gap"]["excess"], said["gap"]["noise_floor"]) == (line["excess"], line["noise_floor"])
    [own] = [
        one for one in load(root, "confirmations").to_pylist() if one["confirmation_id"] == delivered.confirmation_id
    ]
    assert [shown["delivered"][name] for name in ("ua", "ra", "ta", "mia")] == [
        own[name] for name in ("ua", "ra", "ta", "mia")
    ]
    verdicts = [one for one in load(root, "audit_verdicts").to_pylist() if one["row"] == "salun"]
    assert [(one["statistic"], one["power"], one["verdict"]) for one in said["audits"]] == [
        (one["metric"], one["power"], one["verdict"]) for one in verdicts
    ]
    assert len(said["clinical"]) == sum(one["row"] == "salun" for one in load(root, "clinical").to_pylist())
    assert (
        said["request"]["images"]
        == len(parts.forgotten)
        == sum(one["requested"] for one in said["request"]["by_class"])
    )
    assert (said["request"]["train_images"], said["request"]["control_images"]) == (160, len(parts.control))
    assert said["request"]["patients"] is None
    assert said["data"]["sha256"] == delivered.model.scenario.data_hash
    manifest = ArtifactStore(root).manifest(delivered.model.key)
    assert manifest is not None
    assert said["models"]["delivered"]["weights_sha256"] == manifest.files["weights"].sha256
    assert said["models"]["original"]["fingerprint"] == delivered.model.start.fingerprint


def test_it_uses_the_three_words_and_neither_of_the_two_that_promise(delivered: Delivered) -> None:
    said = certify(delivered)
    assert said["verdict"] in VERDICTS
    assert {one["verdict"] for one in said["judgements"]} <= VERDICTS
    texts = [(delivered.folder / name).read_text().lower() for name in ("certificate.json", "certificate.html")]
    for text in (*texts, json.dumps(certificate_schema()).lower()):
        assert "forgotten" not in text
        assert "guarantee" not in text
    assert "not a proof of erasure" in texts[1]


def test_it_names_nobody_and_no_list_and_no_path(delivered: Delivered) -> None:
    """All but the commitments, from which nobody without the salt learns anything."""
    certify(delivered)
    secrets = ["Miller", delivered.model.parts.forgotten.hash, str(delivered.folder), str(delivered.root)]
    for name in ("certificate.json", "certificate.html"):
        text = (delivered.folder / name).read_text()
        assert not [secret for secret in secrets if secret in text]


def test_its_page_fetches_and_runs_nothing(delivered: Delivered) -> None:
    certify(delivered)
    page = (delivered.folder / "certificate.html").read_text()
    assert not [one for one in ("<script", "src=", "url(", "@import", "http:", "https:", "<link") if one in page]
    assert page.startswith("<!doctype html>")


def test_two_certificates_of_one_request_have_other_commitments(delivered: Delivered) -> None:
    first, second = (certify(delivered)["request"] for _ in range(2))
    assert first["requester"] != second["requester"]
    assert first["list_commitment"] != second["list_commitment"]
    assert certify(delivered, requester=None)["request"]["requester"] is None


def test_criteria_that_were_recorded_after_the_first_measurement_are_called_so(delivered: Delivered) -> None:
    said = certify(delivered)
    assert said["criteria"]["fixed_before"]
    assert said["criteria"]["recorded_at"] <= said["criteria"]["first_confirmation_at"]
    store = Store(delivered.root)
    [row] = to_rows(store.read("studies", "hospital"), StudyRow)
    store.append([replace(row, started_at=row.started_at + timedelta(days=1))])
    said = certify(delivered)
    assert not said["criteria"]["fixed_before"]
    assert any(one.startswith("THE CRITERIA WERE NOT FIXED BEFORE") for one in said["limits"])
    assert "CRITERIA NOT FIXED BEFORE" in (delivered.folder / "certificate.html").read_text()


def test_an_unsigned_certificate_says_so_in_big_letters(delivered: Delivered, key: Path) -> None:
    assert certify(delivered)["seal"]["signature"] is None
    assert "<b>UNSIGNED</b>" in (delivered.folder / "certificate.html").read_text()
    assert certify(delivered, key=key)["seal"]["public_key"]
    assert "UNSIGNED" not in (delivered.folder / "certificate.html").read_text()


def test_the_lineage_has_the_originals_what_was_made_of_them_and_the_rows_about_the_images(
    delivered: Delivered,
) -> None:
    exists = certify(delivered)["lineage"]["exists"]
    artifacts = {one["artifact_id"]: one for one in load(delivered.root, "artifacts").to_pylist()}
    named = {one["where"].rpartition("/")[2] for one in exists}
    assert {name for name, one in artifacts.items() if one["kind"] in ("original", "saliency")} <= named
    assert not [name for name, one in artifacts.items() if one["kind"] == "oracle" and name in named]
    [unlearned] = [one for one in exists if one["what"] == "unlearned model"]
    assert (unlearned["why"], unlearned["removed_by"]) == ("it was delivered", None)
    [rows] = [one for one in exists if "predictions" in one["what"]]
    assert rows["where"] == "tables/predictions/hospital"


def test_weights_that_are_not_those_of_the_model_are_refused(delivered: Delivered) -> None:
    weights = load_file(delivered.folder / "weights.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1}, delivered.folder / "weights.safetensors")
    other = changed(delivered, "weights.safetensors", (delivered.folder / "weights.safetensors").read_bytes())
    with pytest.raises(InputError, match="1 of its 22 tensors are none of the model"):
        write_certificate(other, requester=None, key=None)


def test_a_file_that_the_delivery_does_not_name_is_refused(delivered: Delivered) -> None:
    (delivered.folder / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"its files are not those of the delivery: notes\.txt"):
        write_certificate(delivered, requester=None, key=None)


def test_a_study_that_was_not_run_so_is_refused(delivered: Delivered) -> None:
    other = parse_study({**delivered.study.model_dump(mode="json"), "margin": 0.02}, "study.yaml")
    with pytest.raises(InputError, match="hospital was not run as it is now"):
        write_certificate(replace(delivered, study=other), requester=None, key=None)


def test_a_row_or_confirmation_that_is_not_there_is_refused(delivered: Delivered) -> None:
    with pytest.raises(InputError, match="row 'scrub': the table of hospital has original, oracle, salun"):
        write_certificate(replace(delivered, row="scrub"), requester=None, key=None)
    with pytest.raises(InputError, match="there is no confirmation nothing of the delivered model"):
        write_certificate(replace(delivered, confirmation_id="nothing"), requester=None, key=None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("no violation detected", "no violation detected"), "no violation detected"),
        (("no violation detected", "inconclusive"), "inconclusive"),
        (("violation", "inconclusive"), "violation"),
        (("no violation detected", "violation"), "violation"),
    ],
)
def test_the_strictest_judgement_counts(said: tuple[Verdict, ...], expected: Verdict) -> None:
    judged = [Judgement(criterion="gap to retraining", verdict=one, because="") for one in said]
    assert overall(judged) == expected
