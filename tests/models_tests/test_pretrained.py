"""Weights of a local file, which trainings begin with."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from unlearning.errors import InputError
from unlearning.models import NETWORKS, ExternalNetwork

Write = Callable[..., tuple[str, Path]]


@pytest.fixture
def network(write_module: Write) -> Callable[..., ExternalNetwork]:
    module, folder = write_module()

    def make(**options: Any) -> ExternalNetwork:
        made = NETWORKS.validate(
            {"import": f"{module}:one_logit", "folder": str(folder), "args": {"size": 4}, **options}
        )
        assert isinstance(made, ExternalNetwork)
        return made

    return make


def body(network: ExternalNetwork, seed: int = 0) -> dict[str, torch.Tensor]:
    return network.build(1, 2, seed)[1].state_dict()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
def test_a_training_begins_with_the_weights_of_the_file(
    network: Callable[..., ExternalNetwork], tmp_path: Path, name: str
) -> None:
    wanted = body(network(), seed=5)
    (save_file if name.endswith("safetensors") else torch.save)(wanted, tmp_path / name)
    loaded = network(pretrained=str(tmp_path / name))
    assert all(torch.equal(value, wanted[key]) for key, value in body(loaded).items())
    assert loaded.title.endswith(f"size 4 pretrained {name}")
    assert "drawn anew, since the file has none of their size: none" in loaded.notes(1, 2)[0]


def test_a_file_counts_by_its_content_and_not_by_its_path(
    network: Callable[..., ExternalNetwork], tmp_path: Path
) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        save_file(body(network(), seed), tmp_path / f"{name}.safetensors")
    a, b, c = (network(pretrained=str(tmp_path / f"{name}.safetensors")).identity for name in "abc")
    assert a == b != c


def test_a_head_of_another_size_is_drawn_from_the_seed_and_noted(
    network: Callable[..., ExternalNetwork], tmp_path: Path
) -> None:
    other = body(network(), seed=5) | {"3.weight": torch.zeros(7, 4), "3.bias": torch.zeros(7)}
    save_file(other, tmp_path / "w.safetensors")
    loaded = network(pretrained=str(tmp_path / "w.safetensors"))
    assert torch.equal(body(loaded)["1.weight"], other["1.weight"])
    assert torch.equal(body(loaded, 2)["3.weight"], body(network(), 2)["3.weight"])
    assert loaded.notes(1, 2)[0].endswith("drawn anew, since the file has none of their size: 3.bias, 3.weight.")


def test_weights_of_another_network_are_refused_by_name_and_shape(
    network: Callable[..., ExternalNetwork], tmp_path: Path
) -> None:
    file = tmp_path / "w.safetensors"
    save_file({"1.weight": torch.zeros(9, 16), "stem": torch.zeros(2)}, file)
    message = (
        r"the weights of another network: 1.bias: wanted \(4,\), got none; 1.weight: wanted \(4, 16\), got \(9, 16\)"
    )
    with pytest.raises(InputError, match=message):
        network(pretrained=str(file)).build(1, 2, seed=0)


def test_only_tensors_are_read_and_nothing_is_run(network: Callable[..., ExternalNetwork], tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    (tmp_path / "w.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError, match="is no state dict that torch reads without running code"):
        network(pretrained=str(tmp_path / "w.pt")).build(1, 2, seed=0)
    assert not marker.exists()
    (tmp_path / "w.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="is not safetensors"):
        network(pretrained=str(tmp_path / "w.safetensors")).build(1, 2, seed=0)


def test_a_file_that_is_gone_or_changed_elsewhere_is_refused(
    network: Callable[..., ExternalNetwork], tmp_path: Path
) -> None:
    file = tmp_path / "w.safetensors"
    save_file(body(network(), 5), file)
    loaded = network(pretrained=str(file))
    save_file(body(network(), 6), file)
    with pytest.raises(InputError, match="is another file than the study was read with"):
        loaded.build(1, 2, seed=0)
    file.unlink()
    with pytest.raises(InputError, match=r"pretrained: no .*; all nodes must see it under this path"):
        loaded.build(1, 2, seed=0)
    with pytest.raises(ValidationError, match=r"pretrained: .*: the file of weights cannot be read"):
        network(pretrained=str(file))
