from typing import Any

import pytest
import torch
from torch import nn

from unlearning import nested
from unlearning.errors import InputError


def test_the_state_of_an_optimiser_comes_back_as_it_was() -> None:
    network = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    network(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    state = {"model": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": None, "name": "é"}
    found = nested.unflatten(nested.flatten(state))
    assert found.keys() == state.keys()
    assert (found["epoch"], found["best"], found["name"]) == (3, None, "é")
    again = torch.optim.AdamW(network.parameters(), lr=0.5)
    again.load_state_dict(found["optimizer"])
    assert again.param_groups[0]["lr"] == 0.01
    assert again.param_groups[0]["betas"] == (0.9, 0.999)
    for mine, theirs in zip(again.state.values(), optimizer.state.values(), strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_what_is_flattened_is_a_copy() -> None:
    weights = torch.zeros(2)
    kept = nested.flatten([weights])
    weights.fill_(1)
    assert nested.unflatten(kept)[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1, {2, 3}]}, r"checkpoint\['a'\]\[1\]: wanted a tensor, a number, .*got <class 'set'>"),
        ({("a", "b"): 1}, r"checkpoint: wanted texts or whole numbers as keys, got \('a', 'b'\)"),
    ],
)
def test_what_cannot_be_kept_is_named_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        nested.flatten(value)


@pytest.mark.parametrize(
    "tensors", [{}, {"shape": torch.zeros(3)}, {"shape": torch.tensor(list(b'{"tensor": "0"}'), dtype=torch.uint8)}]
)
def test_tensors_of_anything_else_are_refused(tensors: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="wanted the tensors of a flattened value"):
        nested.unflatten(tensors)
