"""A second request for a model that was delivered for a first one, whose images the data may still hold."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import lethe
from lethe.pipeline.withdrawn_before import WithdrawnBefore, withdrawn_before
from lethe.results import Store
from lethe.storage.documents import MalformedError
from lethe.storage.root import StorageRoot
from lethe.study import StudyError, expand, parse_study
from unlearning.checkpoints import read_checkpoint
from unlearning.data import load
from unlearning.models import CNN

LetheHere = Callable[..., tuple[int, str]]

FIRST: dict[str, Any] = {"kind": "random", "fraction": 0.2}
SECOND: dict[str, Any] = {"kind": "class", "class_index": 0}
DATA: dict[str, Any] = {"source": "synthetic", "train": 60, "val": 30, "test": 30, "size": 12, "classes": 3}

STUDY: dict[str, Any] = {
    "name": "first",
    "data": [DATA],
    "forget": [FIRST],
    "network": {"name": "cnn", "width": 2},
    "training": "none",
    "original": {"checkpoint": "model.pt"},
    "methods": [{"name": "fine_tune", "epochs": 1, "lr": 0.05}],
    "seeds": {"reporting": [1, 2]},
    "audits": None,
}


def write(folder: Path, **changes: Any) -> Path:
    """Writes a study."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in (STUDY | changes).items() if value is not None}))
    return path


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, lethe_here: LetheHere) -> Path:
    """A folder with results and what was delivered for the first request; no test changes it."""
    folder = tmp_path_factory.mktemp("ward")
    torch.save(CNN(width=2).build(1, 3, 7)[1].state_dict(), folder / "model.pt")
    where = ("--local", "--results", folder / "results", "--out", folder / "out", "--method", "fine_tune")
    code, output = lethe_here("forget", write(folder), *where)
    assert code == 0, output
    return folder


def found(ward: Path, results: str = "results", **changes: Any) -> WithdrawnBefore:
    """Returns what is known of a second study."""
    given = {"original": {"checkpoint": str(ward / "out" / "weights.safetensors")}, "name": "second", "audits": []}
    study = parse_study(STUDY | given | changes, "study.yaml")
    searches = expand(study, {source: load(source) for source in study.data})
    return withdrawn_before(StorageRoot.at(ward / results), study, searches)


def test_another_request_on_the_same_data_is_noted_by_the_plan_and_refused_by_a_run(
    ward: Path, lethe_here: LetheHere
) -> None:
    second = write(ward, name="second", forget=[SECOND], original={"checkpoint": "out/weights.safetensors"})
    code, output = lethe_here("plan", second, "--results", ward / "results", "--json")
    assert code == 0
    notes = json.loads(output[output.index("{") :])["answer"]["notes"]
    [note] = [one for one in notes if one.startswith("a run is refused: ")]
    assert "weights.safetensors is, or was made from, what the study first delivered (fine_tune, certificate of" in note
    assert "for a request of kind random, 12 of 60 train images. synthetic" in note
    assert "still has those images, and the request class 0 is not known to hold them" in note
    assert note.endswith("Leave them out of the data"), "without a recipe there are no streams of requests"
    for command in ("run", "forget"):
        code, output = lethe_here(command, second, "--local", "--results", ward / "results")
        assert code == 2
        assert note.removeprefix("a run is refused: ") in output
    with pytest.raises(StudyError, match=r"second: original\.checkpoint\n  original: weights\.safetensors is"):
        lethe.run(second, ward / "results", local=True)
    assert Store(StorageRoot.at(ward / "results")).studies() == ["first"]


def test_the_same_list_again_is_free(ward: Path) -> None:
    assert found(ward, forget=[FIRST]) == WithdrawnBefore()


def test_a_stream_with_the_earlier_request_is_free_and_proposed_where_models_are_trained(ward: Path) -> None:
    trained: dict[str, Any] = {
        "training": {"epochs": 1, "precision": "float32"},
        "seeds": {"tuning": [0], "reporting": [1, 2]},
    }
    [refused] = found(ward, **trained, forget=[SECOND]).refused
    assert "{kind: stream, requests: [{...the first...}, {...this one...}]}" in refused
    stream = {"kind": "stream", "requests": [FIRST, SECOND]}
    assert found(ward, **trained, forget=[stream]) == WithdrawnBefore()
    assert found(ward, **trained, forget=[stream | {"requests": [SECOND, {"kind": "class", "class_index": 1}]}]).refused


def test_another_model_or_results_that_know_of_no_delivery_are_free(ward: Path) -> None:
    assert found(ward, forget=[SECOND], original={"checkpoint": str(ward / "model.pt")}) == WithdrawnBefore()
    assert found(ward, "elsewhere", forget=[SECOND]) == WithdrawnBefore()


def test_of_other_data_it_is_said_that_nobody_knows(ward: Path) -> None:
    other = found(ward, forget=[SECOND], data=[DATA | {"train": 48}])
    assert other.refused == ()
    [note] = other.notes
    assert "still has those images is not known; leave them out, or methods train on them again" in note


def test_the_weights_are_known_in_another_file_format(ward: Path, tmp_path: Path) -> None:
    """Without the normalisation, as a hospital saves them again."""
    torch.save(dict(read_checkpoint(ward / "out" / "weights.safetensors").tensors), tmp_path / "again.pt")
    assert len(found(ward, forget=[SECOND], original={"checkpoint": str(tmp_path / "again.pt")}).refused) == 1


def test_what_was_made_from_a_delivered_model_is_known_too(ward: Path, tmp_path: Path, lethe_here: LetheHere) -> None:
    shutil.copytree(ward, tmp_path / "ward")
    folder = tmp_path / "ward"
    less = {"data": [DATA | {"train": 48}], "name": "second", "forget": [SECOND]}
    second = write(folder, **less, original={"checkpoint": "out/weights.safetensors"})
    where = ("--local", "--results", folder / "results", "--out", folder / "next", "--method", "fine_tune")
    code, output = lethe_here("forget", second, *where)
    assert code == 0, output
    third = found(folder, forget=[SECOND], original={"checkpoint": str(folder / "next" / "weights.safetensors")})
    assert len(third.refused) == 1
    assert "what the study first delivered" in third.refused[0]
    assert len(third.unknown) == 1
    assert "what the study second delivered" in third.unknown[0]
    [name] = [one for one in (folder / "results" / "certificates").glob("*.json") if "opening" not in one.name][:1]
    name.write_text("{}")
    with pytest.raises(MalformedError, match=f"certificates/{name.name}: made_at"):
        found(folder, forget=[SECOND])
