"""A study of a given model whose recipe is not known: what it may ask for, and what identifies it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lethe.study import MethodSearch, StudyError, expand, parse_study, read_text, write_study
from unlearning.checkpoints import CheckpointError
from unlearning.data import Synthetic, load
from unlearning.models import CNN
from unlearning.no_recipe import NoRecipe

SOURCE = Synthetic(train=60, val=20, test=20, size=12, classes=3)

STUDY: dict[str, Any] = {
    "name": "s",
    "data": [SOURCE.model_dump(exclude_none=True)],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "network": {"name": "cnn", "width": 2},
    "training": "none",
    "original": {"checkpoint": "a.pt"},
    "methods": [{"name": "fine_tune", "lr": 0.1}],
    "seeds": {"reporting": [3, 4]},
}


def expanded(path: Path, seed: int, **changes: Any) -> list[MethodSearch]:
    torch.save(CNN(width=2).build(1, 3, seed)[1].state_dict(), path)
    return expand(parse_study(STUDY | {"original": {"checkpoint": str(path)}} | changes, "s"), {SOURCE: load(SOURCE)})


def test_the_word_none_is_read_and_written_as_it_is() -> None:
    study = parse_study(STUDY, "s")
    assert isinstance(study.training, NoRecipe)
    assert not study.has_oracles
    text = write_study(study)
    assert "training: none\n" in text
    assert read_text(text, "s") == study


def test_a_bundle_has_the_audits_that_need_neither_an_oracle_nor_a_recipe() -> None:
    study = parse_study(STUDY | {"audits": "full"}, "s")
    assert [audit.name for audit in study.audits] == ["clinical", "head_probe", "perturbed"]


def test_everything_that_needs_an_oracle_is_refused_at_once_with_what_can_run() -> None:
    asked: dict[str, Any] = {
        "original": None,
        "forget": [{"kind": "random", "fraction": 0.2, "control": True}, {"kind": "gaussian", "fraction": 0.1}],
        "methods": [
            {"name": "fine_tune", "search": {"lr": [0.1, 0.2]}},
            {"name": "scrub", "epochs": 4, "keep": "best"},
            {"name": "r2d"},
        ],
        "audits": [{"name": "cka"}, {"name": "durability"}],
        "doses": [0.5],
    }
    with pytest.raises(StudyError) as caught:
        parse_study(STUDY | asked, "s")
    for told in (
        "original: is needed where the recipe is not known",
        "methods: fine_tune: search: there is no objective without an oracle",
        "methods: scrub: keep: best is the epoch of the smallest gap to oracles",
        "methods: r2d: requires weights",
        "the given model has seen the control half, too",
        "the given model has not seen what it plants",
        "audits: cka: compares with oracles, which is not possible here; audits that can run: clinical, head_p",
        "audits: durability: trains models further as the recipe says",
        "doses: models on a share of the forget set would have to be trained",
    ):
        assert told in str(caught.value), told


def test_a_stream_of_requests_is_refused() -> None:
    stream = {"kind": "stream", "of": {"kind": "random", "fraction": 0.4}, "steps": 2}
    with pytest.raises(StudyError, match="models would have to be trained after each request"):
        parse_study(STUDY | {"forget": [stream]}, "s")


@pytest.mark.parametrize("wrong", ["known", None])
def test_another_word_is_no_recipe(wrong: str | None) -> None:
    with pytest.raises(StudyError, match="training"):
        parse_study(STUDY | {"training": wrong}, "s")


def test_the_weights_identify_the_scenario_and_nothing_is_tried(tmp_path: Path) -> None:
    [first] = expanded(tmp_path / "first.pt", 1)
    [moved] = expanded(tmp_path / "moved.pt", 1)
    [other] = expanded(tmp_path / "other.pt", 2)
    assert first.scenario.fingerprint == moved.scenario.fingerprint != other.scenario.fingerprint
    assert first.fingerprint == moved.fingerprint != other.fingerprint
    assert not first.scenario.has_oracles
    assert first.trials == 0


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"s: original\.checkpoint\n  cnn width 4, 1 channels, 3 classes"):
        expanded(tmp_path / "a.pt", 1, network={"name": "cnn", "width": 4})
