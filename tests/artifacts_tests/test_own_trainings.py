"""Artifacts that a training function of the user's makes: kept between epochs, continued, and known by its code."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lethe.artifacts import ArtifactStore, ArtifactWorker, BuildJob, Built, Needed, needed_for, original
from lethe.execution.claims import LocalClaims
from lethe.execution.shared_data import SharedData
from lethe.execution.worker_pool import Steps
from lethe.storage.root import StorageRoot
from lethe.study import Resources, expand, parse_study
from unlearning.data import Synthetic, load

SOURCE = Synthetic(train=90, val=30, test=30, size=8, classes=3)
DATA = load(SOURCE)

FUNCTION = """
import torch
from torch.nn.functional import cross_entropy


def train(data, seed, lr=0.1):
    done = 0
    if data.restored:
        data.network.load_state_dict(data.restored["network"])
        done = data.restored["epoch"]
    for epoch in range(done + 1, 4):
        loss = cross_entropy(data.network(data.images.float() / 255), data.labels)
        loss.backward()
        with torch.no_grad():
            for parameter in data.network.parameters():
                parameter -= lr * parameter.grad
                parameter.grad = None
        data.checkpoint({"network": data.network.state_dict(), "epoch": epoch})
        data.epoch(epoch, loss.item())
    return data.network.state_dict()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_code.py").write_text(FUNCTION)
    yield tmp_path
    sys.modules.pop("own_code", None)


def an_original(**training: object) -> Needed:
    content = {
        "name": "own",
        "data": [SOURCE.model_dump(exclude_none=True)],
        "forget": [{"kind": "random", "fraction": 0.2}],
        "network": {"name": "cnn", "width": 4},
        "training": {"import": "own_code:train", **training},
        "methods": [{"name": "fine_tune"}],
    }
    searches = expand(parse_study(content, "own.yaml"), {SOURCE: DATA})
    return next(one for one in needed_for(searches, [0]) if one.label == "original")


def working(artifacts: ArtifactStore, one: Needed) -> Steps[list[Built]]:
    return ArtifactWorker(artifacts, SharedData([DATA]), LocalClaims(), Resources())(BuildJob((one,)))


def weights(artifacts: ArtifactStore, one: Needed) -> dict[str, Tensor]:
    artifact = artifacts.load(one.recipe.key)
    assert artifact is not None
    return artifact.files["weights"]


def test_a_training_that_is_left_between_two_epochs_goes_on_to_identical_weights(folder: Path) -> None:
    one = an_original()
    whole, left = (ArtifactStore(StorageRoot.at(folder / name)) for name in ("whole", "left"))
    assert len(list(working(whole, one))) == 3
    steps = working(left, one)
    next(steps)
    next(steps)
    steps.close()
    assert left.manifest(one.recipe.key) is None
    assert left.checkpoint(one.recipe.key) is not None
    assert len(list(working(left, one))) == 1
    mine, theirs = weights(left, one), weights(whole, one)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert left.checkpoint(one.recipe.key) is None
    for artifacts in (whole, left):
        manifest = artifacts.manifest(one.recipe.key)
        assert manifest is not None
        facts = manifest.facts
        assert (facts.epochs, facts.images_trained, facts.repeats) == (3, 3 * len(DATA.train), True)


def test_models_are_known_by_the_functions_name_arguments_and_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = an_original()
    assert an_original(args={}).recipe == first.recipe
    assert an_original(args={"lr": 0.2}).recipe != first.recipe
    (folder / "own_code.py").write_text(FUNCTION.replace("lr=0.1", "lr=0.3"))
    sys.modules.pop("own_code")
    monkeypatch.setattr("unlearning.imported._READ", {})  # as in another process
    changed = an_original()
    assert changed.recipe != first.recipe
    assert changed.scenario.fingerprint != first.scenario.fingerprint
    assert changed.scenario.stream == first.scenario.stream
    assert original(changed.scenario, 0) == changed.recipe
