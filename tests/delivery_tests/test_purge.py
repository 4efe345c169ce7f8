"""Removing what a request leaves behind: what goes, what stays, the record, and what a run says afterwards."""

import json
import os
import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from forked_lethe import Fault, ForkedLethe

from lethe.artifacts import ArtifactStore
from lethe.delivery import Delivered, find_withdrawal, purge
from lethe.delivery.certificate import write_certificate
from lethe.errors import InputError
from lethe.pipeline.plan import make_plan
from lethe.pipeline.purged import PurgedError
from lethe.results import Store, compact, copy_tables, load, query
from lethe.results.purges import Purge, write_purge
from lethe.storage.root import StorageRoot
from lethe.storage.signing import public_path
from lethe.storage.writer_lock import StudyHeldError, writing_study
from lethe.study import Study, write_study

Command = Callable[..., tuple[int, str]]
Read = Callable[..., Study]
Run = Callable[[Study, StorageRoot], None]

REQUEST = "random 20 % with control"


def results_of(delivered: Delivered) -> Path:
    return Path(delivered.root.address)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def of_kind(root: StorageRoot, kind: str) -> set[str]:
    return {one["artifact_id"] for one in load(root, "artifacts").to_pylist() if one["kind"] == kind}


def split_counts(root: StorageRoot) -> dict[str, int]:
    found = query("select study || ' ' || split as what, count(*)::int as n from predictions group by all", root)
    return {one["what"]: one["n"] for one in found.to_pylist()}


def test_by_default_it_only_lists(delivered: Delivered, lethe_here: Command) -> None:
    before = files_in(results_of(delivered))
    code, said = lethe_here("purge", "--study", "hospital", "--request", REQUEST, "--results", results_of(delivered))
    assert code == 0
    assert said.endswith("Nothing was removed; --yes removes it.\n")
    for fingerprint in of_kind(delivered.root, "original") | of_kind(delivered.root, "saliency"):
        assert fingerprint in said
    assert not [one for one in of_kind(delivered.root, "oracle") if one in said]
    assert files_in(results_of(delivered)) == before


def test_it_removes_models_that_saw_the_images_and_their_rows_and_leaves_every_table(
    delivered: Delivered, key: Path, lethe_here: Command
) -> None:
    write_certificate(delivered, requester=None, key=None)
    root, results = delivered.root, results_of(delivered)
    boards, oracles = load(root, "leaderboard"), of_kind(root, "oracle")
    seen = of_kind(root, "original") | of_kind(root, "saliency")
    asked = ("purge", "--study", "hospital", "--request", REQUEST, "--results", results, "--yes", "--key", key)
    code, said = lethe_here(*asked)
    assert code == 0, said
    kept = {path.parent.name for path in (results / "artifacts").glob("*/*/manifest.json")}
    assert kept == oracles | {delivered.model.fingerprint}
    assert not kept & seen
    assert split_counts(root).keys() == {"hospital control"}
    assert load(root, "leaderboard").equals(boards)
    [record] = (results / "purges").iterdir()
    assert {one["fingerprint"] for one in json.loads(record.read_text())["removed"]} >= seen
    assert lethe_here("verify", record, "--public-key", public_path(key))[0] == 0
    record.write_bytes(record.read_bytes().replace(b"trained", b"treined", 1))
    assert lethe_here("verify", record)[0] == 1


def test_what_goes_and_what_stays_is_printed_as_a_document(
    delivered: Delivered, key: Path, document: Callable[..., dict[str, Any]]
) -> None:
    asked = ("purge", "--study", "hospital", "--request", REQUEST, "--results", results_of(delivered), "--key", key)
    listed = document(*asked)["answer"]
    assert (listed["request"], listed["removed"], listed["record"]) == (REQUEST, False, None)
    assert {one["fingerprint"] for one in listed["going"]} >= of_kind(delivered.root, "original")
    gone = document(*asked, "--yes")["answer"]
    assert (gone["removed"], gone["signed"], gone["going"]) == (True, True, listed["going"])
    assert (results_of(delivered) / gone["record"]).is_file()


def test_a_run_of_the_study_does_not_make_it_again_in_silence(
    delivered: Delivered, lethe_here: Command, hospital: Read, run: Run
) -> None:
    root, results = delivered.root, results_of(delivered)
    assert make_plan(hospital(), ArtifactStore(root), Store(root)).complete
    purge(find_withdrawal(root, "hospital", REQUEST), None)
    with pytest.raises(PurgedError, match=r"would make again the original of seed 0, .* purged on 20"):
        run(hospital(), root)
    path = results.parent / "study.yaml"
    path.write_text(write_study(hospital()))
    code, said = lethe_here("plan", path, "--results", results)
    assert code == 2
    [record] = (results / "purges").iterdir()
    assert f"record: {record}" in said
    record.unlink()
    assert lethe_here("plan", path, "--results", results)[0] == 0


def test_the_next_certificate_reads_the_record(delivered: Delivered) -> None:
    write_certificate(delivered, requester=None, key=None)
    before = json.loads((delivered.folder / "certificate.json").read_text())
    purge(find_withdrawal(delivered.root, "hospital", REQUEST), None)
    write_certificate(delivered, requester=None, key=None)
    said = json.loads((delivered.folder / "certificate.json").read_text())
    assert [one["what"] for one in said["lineage"]["exists"]] == ["unlearned model"]
    [removed] = said["lineage"]["purges"]
    assert (removed["finished"], removed["removed"]) == (True, len(before["lineage"]["exists"]) - 1)
    assert said["models"]["original"]["weights_sha256"] == before["models"]["original"]["weights_sha256"]
    assert said["models"]["original"]["tensors"] is None


def test_what_other_studies_need_stays_unless_everything_is_to_go(
    delivered: Delivered, lethe_here: Command, document: Callable[..., dict[str, Any]], hospital: Read, run: Run
) -> None:
    """Another study of the same data, which shares the models and has rows about the same images, all of it merged."""
    root, results = delivered.root, results_of(delivered)
    run(hospital(name="ward", methods=[{"name": "fine_tune", "epochs": 1}]), root)
    for name in ("hospital", "ward"):
        with writing_study(root, name, on_lost=pytest.fail):
            compact(Store(root), name)
    copy_tables(Store(root))
    assert list((results / "copies").glob("predictions-*"))
    asked = ("purge", "--study", "hospital", "--request", REQUEST, "--results", results, "--yes")
    code, said = lethe_here(*asked)
    assert code == 1
    assert "needed by study ward" in said
    assert re.search(r"Not all was removed: \d+ of what is listed above stay for study ward; --all removes them", said)
    found = document(*asked, exit_code=1)
    assert any("needed by study ward" in problem for problem in found["problems"])
    assert all(one["stays_because"] for one in found["answer"]["staying"])
    assert split_counts(root).keys() == {"hospital control", "ward control", "ward forget"}
    assert of_kind(root, "original") <= {path.name for path in (results / "artifacts" / "trained_model").iterdir()}
    assert not list((results / "copies").glob("predictions-*"))
    assert lethe_here(*asked, "--all")[0] == 0
    assert split_counts(root).keys() == {"hospital control", "ward control"}
    assert not of_kind(root, "original") & {path.name for path in (results / "artifacts" / "trained_model").iterdir()}


def test_a_study_that_is_running_is_left_alone(delivered: Delivered) -> None:
    root = delivered.root
    before = files_in(results_of(delivered) / "artifacts")
    found = find_withdrawal(root, "hospital", REQUEST)
    for running in ("hospital", "begun just now"):
        with writing_study(root, running, on_lost=pytest.fail), pytest.raises(StudyHeldError, match=running):
            purge(found, None)
    assert files_in(results_of(delivered) / "artifacts") == before


def test_a_study_that_begins_while_the_locks_are_taken_is_left_alone(
    delivered: Delivered, before: Callable[..., None]
) -> None:
    root = delivered.root
    files = files_in(results_of(delivered) / "artifacts")
    found = find_withdrawal(root, "hospital", REQUEST)
    with ExitStack() as running:
        begins = partial(running.enter_context, writing_study(root, "begun just now", on_lost=pytest.fail))
        before("os.link", "/locks/", begins)
        with pytest.raises(StudyHeldError, match="begun just now"):
            purge(found, None)
    assert files_in(results_of(delivered) / "artifacts") == files


def test_one_that_was_interrupted_is_known_and_repeated(delivered: Delivered, lethe_here: Command) -> None:
    """What a kill leaves: the record that is written before anything is removed."""
    root, results = delivered.root, results_of(delivered)
    found = find_withdrawal(root, "hospital", REQUEST)
    begun = Purge(
        document="lethe purge",
        schema_version=1,
        at=datetime(2026, 11, 27, tzinfo=UTC),
        finished=False,
        study="hospital",
        data_sha256=found.data_hash,
        request=found.forget_hash,
        removed=[],
        kept=[],
        lethe="0.1.0",
    )
    path = results / write_purge(root, begun, None)
    code, said = lethe_here("verify", path)
    assert code == 1
    assert "WAS INTERRUPTED: repeat it" in said
    write_certificate(delivered, requester=None, key=None)
    assert ", INTERRUPTED; record" in (delivered.folder / "certificate.html").read_text()
    asked = ("purge", "--study", "hospital", "--request", REQUEST, "--results", results, "--yes")
    assert lethe_here(*asked)[0] == 0
    assert split_counts(root).keys() == {"hospital control"}


def test_killed_while_it_removes_the_same_command_removes_the_rest_and_every_record_counts(
    delivered: Delivered, lethe_here: Command, hospital: Read, run: Run, fork: type[ForkedLethe]
) -> None:
    root, results = delivered.root, results_of(delivered)
    seen = of_kind(root, "original") | of_kind(root, "saliency")
    words = ["purge", "--study", "hospital", "--request", REQUEST, "--results", str(results), "--yes"]
    for kill in (Fault("os.rename", "/merged/"), Fault("shutil.rmtree", "trained_model")):
        with fork(words, os.environ, fault=kill) as process:
            assert process.wait(60) < 0, process.stdout.read()
    assert lethe_here(*words)[0] == 0
    assert split_counts(root).keys() == {"hospital control"}
    assert not seen & {path.parent.name for path in (results / "artifacts").glob("*/*/*")}
    with pytest.raises(PurgedError):
        run(hospital(), root)


def test_a_request_that_is_not_there_is_answered_with_those_that_are(delivered: Delivered) -> None:
    with pytest.raises(
        InputError, match=rf"no request of study hospital called 'x' .*\n  '{REQUEST}', hash [0-9a-f]{{64}}"
    ):
        find_withdrawal(delivered.root, "hospital", "x")
    with pytest.raises(InputError, match=r"no results of study clinic in .*; studies there: hospital"):
        find_withdrawal(delivered.root, "clinic", REQUEST)
    found = find_withdrawal(delivered.root, "hospital", REQUEST)
    assert find_withdrawal(delivered.root, "hospital", found.forget_hash[:10]) == found
