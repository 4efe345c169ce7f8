"""A model that was trained elsewhere, as an artifact: what identifies it, and what is made of it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from lethe.artifacts import ArtifactRecipe, ArtifactStore, Built, given, in_order
from lethe.storage.root import StorageRoot
from lethe.study import Scenario, expand, parse_study
from unlearning.checkpoints import CheckpointError, written
from unlearning.data import Synthetic, load

SOURCE = Synthetic(train=60, val=20, test=20, size=12, classes=3)
DATA = load(SOURCE)


Make = Callable[..., dict[ArtifactRecipe, Built]]


def scenario(source: Synthetic = SOURCE) -> Scenario:
    study = parse_study(
        {
            "name": "small",
            "data": [source.model_dump(exclude_none=True)],
            "forget": [{"kind": "random", "fraction": 0.2}],
            "network": {"name": "cnn", "width": 2},
            "training": {"precision": "float32"},
            "methods": [{"name": "fine_tune"}],
        },
        "study.yaml",
    )
    return expand(study, {source: load(source)})[0].scenario


def user_network(seed: int = 5) -> torch.nn.Sequential:
    own = scenario()
    return own.network.build(own.channels, own.classes, seed)


@pytest.fixture
def make(make_artifacts: Make) -> Make:
    """Has one worker get or make recipes and all that they require."""
    return partial(make_artifacts, DATA, scenario())


def test_its_tensors_identify_it_and_not_its_file(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("model.pt", "other.safetensors", "third.pt"))
    body = user_network()[1].state_dict()
    torch.save({"state_dict": {f"module.{name}": value for name, value in body.items()}}, first)
    torch.save(body, second)
    torch.save(user_network(seed=6)[1].state_dict(), third)
    models = [given(scenario(), 1, path)[0] for path in (first, second, third)]
    assert models[0] == models[1] != models[2]
    assert str(tmp_path) not in str(models[0].inputs) + str(models[0].weights.inputs)


def test_its_logits_are_those_of_the_network_with_statistics_of_the_train_images(tmp_path: Path, make: Make) -> None:
    torch.save(user_network()[1].state_dict(), tmp_path / "model.pt")
    artifacts = ArtifactStore(StorageRoot.at(tmp_path / "results"))
    recipe, _ = given(scenario(), 1, tmp_path / "model.pt")
    assert [one.recipe.kind for one in make(artifacts, recipe).values() if one.new] == ["given_weights", "given_model"]
    artifact = artifacts.load(recipe.key)
    assert artifact is not None
    network = user_network()
    network[0].fit(DATA.train.images_NCHW)
    with torch.no_grad():
        expected_NK = network.eval()(DATA.test.images_NCHW.float() / 255)
    torch.testing.assert_close(artifact.files["logits"]["test"], expected_NK, atol=1e-5, rtol=1e-5)
    assert artifact.files["weights"].keys() == network.state_dict().keys()
    assert artifact.manifest.facts.ta is not None
    assert artifact.manifest.facts.ua is None


def test_a_model_of_several_labels_an_image_is_read_too(tmp_path: Path, make_artifacts: Make) -> None:
    source = Synthetic(train=60, val=20, test=20, size=12, classes=3, multi_label=True)
    torch.save(user_network()[1].state_dict(), tmp_path / "model.pt")
    artifacts, own = ArtifactStore(StorageRoot.at(tmp_path / "results")), scenario(source)
    recipe, _ = given(own, 1, tmp_path / "model.pt")
    make_artifacts(load(source), own, artifacts, recipe)
    artifact = artifacts.load(recipe.key)
    assert artifact is not None
    assert artifact.files["logits"]["train"].shape == (60, 3)
    assert artifact.manifest.facts.ta is not None


def test_a_file_with_statistics_keeps_them(tmp_path: Path, make: Make) -> None:
    network = user_network()
    network[0].fit(DATA.val.images_NCHW[:5])
    (tmp_path / "weights.safetensors").write_bytes(written(network))
    artifacts = ArtifactStore(StorageRoot.at(tmp_path / "results"))
    recipe, _ = given(scenario(), 1, tmp_path / "weights.safetensors")
    make(artifacts, recipe)
    artifact = artifacts.load(recipe.key)
    assert artifact is not None
    assert all(torch.equal(artifact.files["weights"][name], value) for name, value in network.state_dict().items())


def test_once_stored_the_file_is_not_needed(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "model.pt"
    torch.save(user_network()[1].state_dict(), path)
    artifacts = ArtifactStore(StorageRoot.at(tmp_path / "results"))
    recipe, _ = given(scenario(), 1, path)
    [weights, _model] = in_order([recipe])
    make(artifacts, weights)
    path.unlink()
    assert [one.recipe.kind for one in make(artifacts, recipe).values() if one.new] == ["given_model"]


def test_a_file_that_changes_after_the_plan_is_refused(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "model.pt"
    torch.save(user_network()[1].state_dict(), path)
    recipe, _ = given(scenario(), 1, path)
    torch.save(user_network(seed=6)[1].state_dict(), path)
    with pytest.raises(CheckpointError, match="has changed since the study was planned"):
        make(ArtifactStore(StorageRoot.at(tmp_path / "results")), recipe)


def test_classes_in_another_order_are_refused_with_what_each_output_stands_for(tmp_path: Path, make: Make) -> None:
    """A network that reads the class from the label's own pattern would be long to train: its head is fitted here."""
    network = user_network()
    network[0].fit(DATA.train.images_NCHW)
    head, images_NCHW = network[1][-1], DATA.train.images_NCHW.float() / 255
    with torch.no_grad():
        features_NF = torch.nn.Sequential(network[0], *network[1][:-1]).eval()(images_NCHW)
        inputs_NF = torch.cat([features_NF, torch.ones(len(features_NF), 1)], 1)
        targets_NK = torch.nn.functional.one_hot((DATA.train.labels_N + 1) % 3, 3).float()
        fit_FK = torch.linalg.lstsq(inputs_NF, targets_NK, driver="gelsd").solution
        head.weight.copy_(fit_FK[:-1].T)
        head.bias.copy_(fit_FK[-1])
    torch.save(network[1].state_dict(), tmp_path / "model.pt")
    recipe, _ = given(scenario(), 1, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="0 for pattern 2, 1 for pattern 0, 2 for pattern 1"):
        make(ArtifactStore(StorageRoot.at(tmp_path / "results")), recipe)


def test_weights_that_answer_with_infinity_are_refused(tmp_path: Path, make: Make) -> None:
    body = user_network()[1].state_dict()
    body["0.weight"] = torch.full_like(body["0.weight"], 3e38)
    torch.save(body, tmp_path / "model.pt")
    recipe, _ = given(scenario(), 1, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="answers images of synthetic with NaN or infinity"):
        make(ArtifactStore(StorageRoot.at(tmp_path / "results")), recipe)
