"""Weights from a user's file: read without running code, and fitted by name."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from unlearning.checkpoints import CheckpointError, fitted, read_checkpoint, written
from unlearning.data import DataError
from unlearning.models import CNN, ResNet18

Save = Callable[[Any], Path]


def network(seed: int = 0, channels: int = 1, classes: int = 3, width: int = 2) -> nn.Sequential:
    return CNN(width=width).build(channels, classes, seed)


BODY: Mapping[str, Tensor] = network()[1].state_dict()


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(content: Any) -> Path:
        torch.save(content, tmp_path / "model.pt")
        return tmp_path / "model.pt"

    return write


def weights(path: Path) -> tuple[Mapping[str, Tensor], tuple[str, ...]]:
    found = fitted(read_checkpoint(path), network(seed=1))
    return found.weights, found.notes


def check_are(found: Mapping[str, Tensor]) -> None:
    assert found.keys() == {f"1.{name}" for name in BODY}
    assert all(torch.equal(found[f"1.{name}"], value) for name, value in BODY.items())


def test_a_state_dict_of_the_users_network_in_either_format(save: Save, tmp_path: Path) -> None:
    found, notes = weights(save(dict(BODY)))
    check_are(found)
    assert notes == ()
    save_file({name: value.contiguous() for name, value in BODY.items()}, tmp_path / "model.safetensors")
    check_are(weights(tmp_path / "model.safetensors")[0])


def test_a_wrapper_and_a_prefix_are_understood_and_said(save: Save) -> None:
    path = save({"state_dict": {f"module.{name}": value for name, value in BODY.items()}, "epoch": 7})
    found, notes = weights(path)
    check_are(found)
    assert notes == (
        f"the weights are those under the key state_dict of {path}",
        "all names begin with module., which is left out",
    )


def test_prefixes_may_be_nested(save: Save) -> None:
    check_are(weights(save({f"_orig_mod.module.{name}": value for name, value in BODY.items()}))[0])


def test_other_types_are_read_and_said(save: Save) -> None:
    halves = {name: value.half() if value.is_floating_point() else value for name, value in BODY.items()}
    found, notes = weights(save(halves))
    assert found["1.0.weight"].dtype == torch.float32
    assert notes == ("weights of type float16 are read as float32",)


def test_what_is_written_for_the_user_comes_back_with_its_normalisation(tmp_path: Path) -> None:
    own = network()
    own[0].fit(torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8))
    path = tmp_path / "weights.safetensors"
    path.write_bytes(written(own))
    found, notes = weights(path)
    assert notes == ()
    assert found.keys() == own.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in own.state_dict().items())
    network(seed=1)[1].load_state_dict(dict(read_checkpoint(path).tensors))


def test_names_of_the_whole_network_are_understood(save: Save) -> None:
    own = network()
    found, _ = weights(save(own.state_dict()))
    assert found.keys() == own.state_dict().keys()


def test_another_architecture_is_refused_by_its_names(save: Save) -> None:
    path = save(ResNet18(width=2).build(1, 3, 0)[1].state_dict())
    with pytest.raises(CheckpointError) as caught:
        weights(path)
    said = str(caught.value)
    assert "names are missing: 11.bias, 11.weight" in said
    assert "are unexpected: " in said


def test_other_classes_are_refused_by_both_shapes(save: Save) -> None:
    path = save(network(classes=4)[1].state_dict())
    with pytest.raises(CheckpointError, match=r"11.weight \(wanted \(3, 8\), got \(4, 8\)\)"):
        weights(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(save: Save, value: float) -> None:
    broken = {name: tensor.clone() for name, tensor in BODY.items()}
    broken["3.weight"][0, 0, 1] = value
    with pytest.raises(CheckpointError, match=r"NaN or infinity in 3.weight \(3 of 72 values\)"):
        weights(save(broken))


class Harmful:
    """What a pickle may do to whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


def test_a_pickle_is_refused_and_never_run(save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in ({"state_dict": dict(BODY), "more": Harmful()}, network()):
        with pytest.raises(CheckpointError, match=r"holds more than tensors.*torch.save\(model.state_dict\(\)"):
            read_checkpoint(save(content))
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([torch.zeros(1)], "got a list"),
        ({"epoch": 3, "lr": 0.1}, "got a mapping of 'epoch', 'lr'"),
        ({"model": dict(BODY), "net": dict(BODY)}, "got a mapping of 'model', 'net'"),
        ({}, "got a mapping of nothing"),
    ],
)
def test_what_is_no_state_dict_is_refused(save: Save, content: Any, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(save(content))


def test_files_of_other_programs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    for content in (b"", b"no model at all", b"PK\x03\x04 torn"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"got neither|more than tensors"):
            read_checkpoint(path)
    whole = written(network())
    path.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match="is not safetensors"):
        read_checkpoint(path)
    with pytest.raises(DataError, match="there is no such checkpoint"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(DataError, match="got a folder"):
        read_checkpoint(tmp_path)


def test_a_changed_normalisation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"lethe.normalisation": '{"0.mean_1C11": {"values": [1.0, 2.0]}}'})
    with pytest.raises(CheckpointError, match="is not what Lethe writes"):
        read_checkpoint(path)
