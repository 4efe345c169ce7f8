"""Trainings by a function of the user's, which lies in a module of its own."""

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unlearning.data import Synthetic, load
from unlearning.errors import LetheError
from unlearning.models import CNN
from unlearning.own_recipe import OwnRecipe
from unlearning.own_training import OwnTraining
from unlearning.training import epoch_order

DATA = load(Synthetic(train=120, val=30, test=30, size=12, classes=3))
PART = torch.arange(0, 120, 2)

GOOD = """
import torch
from torch.nn.functional import cross_entropy


def train(data, seed, epochs=3):
    network, done = data.network, 0
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    if data.restored:
        network.load_state_dict(data.restored["network"])
        optimizer.load_state_dict(data.restored["optimizer"])
        done = data.restored["epoch"]
    for epoch in range(done + 1, epochs + 1):
        for batch in data.order(epoch).split(16):
            loss = cross_entropy(network(data.images[batch].float() / 255), data.labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        data.checkpoint({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch})
        data.epoch(epoch, loss.item())
    return network.state_dict()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("own_train", None)


def recipe(folder: Path, source: str, **args: Any) -> OwnRecipe:
    (folder / "own_train.py").write_text(source)
    sys.modules.pop("own_train", None)
    return OwnRecipe.model_validate({"import": "own_train:train", "args": args, "folder": folder})


def training(own: OwnRecipe, kept: list[dict[str, Tensor]] | None = None, seed: int = 5) -> OwnTraining:
    return OwnTraining(
        own,
        DATA,
        PART,
        build=lambda: CNN(width=4).build(1, DATA.classes, seed=0),
        augmentation="none",
        device=torch.device("cpu"),
        seed=seed,
        save=(kept if kept is not None else []).append,
    )


def finished(one: OwnTraining, kept: dict[str, Tensor] | None = None) -> nn.Module:
    steps = one.run(kept)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            network: nn.Module = end.value
            return network


def identical(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


def test_a_function_trains_the_network_and_its_costs_are_noted(folder: Path) -> None:
    own = recipe(folder, GOOD)
    one = training(own)
    network = finished(one)
    assert (one.costs.epochs, one.images, one.repeats) == (3, 3 * len(PART), True)
    assert one.costs.loss is not None
    assert one.costs.seconds > 0
    assert identical(network, finished(training(own)))
    assert not identical(network, finished(training(own, seed=6)))


def test_a_training_that_was_stopped_goes_on_from_its_last_checkpoint_to_identical_weights(folder: Path) -> None:
    own, kept = recipe(folder, GOOD), list[dict[str, Tensor]]()
    whole, stopped, continued = training(own), training(own, kept), training(own)
    steps = stopped.run(None)
    next(steps)
    next(steps)
    steps.close()
    assert len(kept) == 2
    assert identical(finished(whole), finished(continued, kept[-1]))
    assert (continued.costs.epochs, continued.images, continued.repeats) == (3, 3 * len(PART), True)
    assert continued.costs.seconds > 0


@pytest.mark.parametrize("kept", [{}, {"model/0": torch.zeros(2)}], ids=["empty", "a recipe's"])
def test_a_checkpoint_of_another_training_is_not_used(folder: Path, kept: dict[str, Tensor]) -> None:
    own = recipe(folder, GOOD)
    assert identical(finished(training(own), kept), finished(training(own)))


def test_what_a_function_gets_is_the_part_that_it_may_train_on(folder: Path) -> None:
    source = """
seen = {}


def train(data, seed):
    seen.update(vars(data), seed=seed, order=data.order(2), drawn=__import__("torch").rand(2))
    return data.network.state_dict()
"""
    own = recipe(folder, source)
    state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    finished(training(own))
    seen = sys.modules["own_train"].seen  # type: ignore[attr-defined]
    assert torch.equal(seen["images"], DATA.train.images_NCHW[PART])
    assert torch.equal(seen["labels"], DATA.train.labels_N[PART])
    assert torch.equal(seen["val_images"], DATA.val.images_NCHW)
    assert seen["class_names"] == DATA.class_names
    assert (seen["seed"], seen["augmentation"], seen["network"].training) == (5, "none", True)
    pixels = seen["images"].double() / 255
    assert float(seen["network"][0].mean_1C11) == pytest.approx(float(pixels.mean()), abs=1e-6)
    order = epoch_order(5, 2, len(DATA.train))
    assert torch.equal(PART[seen["order"]], order[torch.isin(order, PART)])
    assert torch.equal(seen["drawn"], torch.rand(2, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(state[0], torch.get_rng_state())
    assert state[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[union-attr]


def test_a_function_counts_its_images_itself(folder: Path) -> None:
    one = training(recipe(folder, GOOD.replace("optimizer.step()", "optimizer.step(); data.count(2 * len(batch))")))
    finished(one)
    assert one.images == 2 * 3 * len(PART)


def test_a_function_that_ends_no_epoch_has_no_known_costs_and_is_not_known_to_repeat(folder: Path) -> None:
    one = training(recipe(folder, "def train(data, seed):\n    return data.network.state_dict()\n"))
    assert len(list(one.run(None))) == 0
    assert (one.costs.epochs, one.images, one.costs.loss, one.repeats) == (None, None, None, None)


def test_a_function_that_shows_nothing_of_its_first_epoch_is_not_known_to_repeat(folder: Path) -> None:
    source = """
import copy, os


def train(data, seed):
    network = copy.deepcopy(data.network)
    for parameter in network.parameters():
        parameter.data += os.urandom(1)[0]
    data.epoch(1)
    return network.state_dict()
"""
    one = training(recipe(folder, source))
    finished(one)
    assert (one.images, one.repeats) == (len(PART), None)


def test_a_function_that_does_not_repeat_is_found_out(folder: Path) -> None:
    by_chance = "lr=0.01 + int.from_bytes(__import__('os').urandom(4), 'big') / 1e12"
    one = training(recipe(folder, GOOD.replace("lr=0.01", by_chance)))
    finished(one)
    assert one.repeats is False


RETURNS: dict[str, tuple[str, str]] = {
    "nothing": ("return None", "wanted the network's state dict, got <class 'NoneType'>"),
    "other keys": (
        "return {'module.' + name: one for name, one in data.network.state_dict().items()}",
        "the state dict that it returned lacks 0.mean_1C11, 0.std_1C11, ",
    ),
    "more keys": (
        "return {**data.network.state_dict(), 'ema.weight': data.images}",
        "the network has no ema.weight, which the state dict has",
    ),
    "another shape": (
        "return {**data.network.state_dict(), '0.mean_1C11': data.images.float()}",
        "0.mean_1C11 of the state dict: wanted the shape (1, 1, 1, 1), got (60, 1, 12, 12)",
    ),
    "another type": (
        "return {**data.network.state_dict(), '0.mean_1C11': data.labels[:1].reshape(1, 1, 1, 1)}",
        "0.mean_1C11 of the state dict: wanted torch.float32, got torch.int64",
    ),
    "no tensor": (
        "return {**data.network.state_dict(), '0.mean_1C11': 0.5}",
        "0.mean_1C11 of the state dict: wanted a tensor, got <class 'float'>",
    ),
    "NaN": (
        "return {name: one * float('nan') if one.is_floating_point() else one "
        "for name, one in data.network.state_dict().items()}",
        "0.mean_1C11 of the state dict: 1 of 1 numbers are not finite",
    ),
    "loss": ("data.epoch(3, float('inf'))", "the loss of epoch 3 is inf; is its rate too large?"),
    "epoch": ("data.epoch(0)", "data.epoch: wanted a whole number from 1, got 0"),
    "error": (
        "return data.images @ data.labels",
        "(own_train.py, line 2, in train: return data.images @ data.labels)",
    ),
    "checkpoint": ("data.checkpoint({'a': data})", "checkpoint['state']['a']: wanted a tensor"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3 (own_train.py, line 2, in train: raise SystemExit(3))"),
}


@pytest.mark.parametrize(("line", "said"), RETURNS.values(), ids=RETURNS)
def test_what_a_function_does_wrong_is_named(folder: Path, line: str, said: str) -> None:
    own = recipe(folder, f"def train(data, seed):\n    {line}\n")
    with pytest.raises(LetheError) as caught:
        finished(training(own))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"import": "nowhere_at_all:train"}, "import: there is no module nowhere_at_all"),
        ({"import": "own_train:fit"}, "import: own_train has no fit; it has train"),
        ({"import": "own_train:rate"}, "import: wanted a class or a function, got own_train:rate, a float"),
        ({"import": "own_train"}, "wanted a module and a name, as in mypkg.nets:build, got 'own_train'"),
        (
            {"import": "own_train:train", "args": {"lr": 1}},
            "cannot be called as train(data, seed, **args): got an",
        ),
        ({"import": "own_train:train", "args": {"a": float("nan")}}, "args"),
        ({"args": {}}, "import"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(folder: Path, options: dict[str, Any], said: str) -> None:
    (folder / "own_train.py").write_text("def train(data, seed, epochs=3): ...\n\n\nrate = 0.1\n")
    with pytest.raises(ValueError, match=re.escape(said)):
        OwnRecipe.model_validate({**options, "folder": folder})


def test_the_recipe_in_words_names_function_arguments_and_source(folder: Path) -> None:
    own = recipe(folder, GOOD, epochs=2)
    assert own.title == f"trained by own_train:train(epochs=2) of {own.code}"
    assert re.fullmatch("sources [0-9a-f]{20}", own.code)
    assert own.package is None
