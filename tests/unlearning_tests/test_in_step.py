"""Runs whose steps are taken together: what a slot does is its own affair, and what cannot be fused says so."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import repeat
from typing import Any, ClassVar, Literal

import pytest
import torch
from own_networks import ViT
from torch import Tensor, nn
from torch.nn.functional import dropout

from unlearning.data import Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import DataPass, Engine, FusedEngine, NotGroupedError, PlannedEpoch, Precision
from unlearning.in_step import RunsInStep
from unlearning.methods import SSD, FineTune, ForgetTask, Method, RandomLabel, SalUn, UnlearningContext
from unlearning.models import CNN, Network, ResNet18
from unlearning.trial import EpochResult, unlearn

DATA = load(Synthetic(train=100, val=20, test=20, size=12, classes=3))
FORGET_N = torch.arange(100) % 5 == 0
IMAGES: dict[Any, Tensor] = {"train": DATA.train.images_NCHW, "val": DATA.val.images_NCHW}
OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 16}


def engine_of(network: Network = CNN(width=4), seed: int = 0, precision: Precision = "float32") -> Engine:  # noqa: B008
    model = network.build(1, DATA.classes, seed)
    return Engine(model, DATA.train.images_NCHW, augmentation=AUGMENTATIONS["standard"], precision=precision)


def context_of(forget_N: Tensor = FORGET_N) -> UnlearningContext:
    return UnlearningContext(engine_of(), ForgetTask(DATA.train.labels_N, forget_N, DATA.classes))


def original(seed: int = 0) -> dict[str, Tensor]:
    return CNN(width=4).build(1, DATA.classes, seed).state_dict()


def by_itself(method: Method, seed: int, forget_N: Tensor = FORGET_N) -> list[EpochResult]:
    return list(unlearn(context_of(forget_N), original(), method, seed, IMAGES))


def in_slot(together: RunsInStep, slot: int, context: UnlearningContext, method: Method, seed: int) -> Any:
    return unlearn(context, original(), method, seed, IMAGES, losses=partial(together.losses, slot))


def assert_close(found: list[EpochResult], expected: list[EpochResult]) -> None:
    assert [one.epoch for one in found] == [one.epoch for one in expected]
    for mine, yours in zip(found, expected, strict=True):
        assert mine.images_unlearn == yours.images_unlearn
        for split, logits_NK in yours.logits.items():
            torch.testing.assert_close(mine.logits[split], logits_NK, rtol=1e-4, atol=1e-4)


def epoch_of(seed: int, lr: float = 0.05, count: int = 100, batch_size: int = 32) -> PlannedEpoch:
    random = torch.Generator().manual_seed(seed)
    order_N = torch.randperm(100, generator=random)[:count]
    data_pass = DataPass(order_N, DATA.train.labels_N[order_N], clip_norm=1.0 if seed else None)
    return PlannedEpoch([data_pass], batch_size, repeat(lr * (1 + seed)), random)


def begin(engine: Engine, masks: list[Tensor] | None = None) -> Engine:
    engine.begin(momentum=0.9, weight_decay=5e-4, masks=masks)
    engine.model.train()
    return engine


def state(engine: Engine) -> list[Tensor]:
    return [value.clone() for value in engine.model.state_dict().values()]


def test_settings_seeds_rates_and_masks_of_the_slots_are_their_own() -> None:
    methods = [
        SalUn(lr=0.02, density=0.3, mask="random", **OPTIONS),
        SalUn(lr=0.05, density=0.7, mask="random", momentum=0.5, **OPTIONS),
        SalUn(lr=0.01, density=1.0, schedule="cosine", weight_decay=0.1, **OPTIONS),
    ]
    contexts = [context_of() for _ in methods]
    together = RunsInStep(contexts)
    runs = [in_slot(together, slot, contexts[slot], method, 3 + slot) for slot, method in enumerate(methods)]
    for slot, found in enumerate(zip(*zip(*runs, strict=True), strict=True)):
        assert_close(list(found), by_itself(methods[slot], 3 + slot))
    assert together.fused.taken_together > 0
    assert together.fused.taken_alone == 0


def test_weights_that_a_slots_mask_freezes_stay_to_the_bit() -> None:
    engines = [engine_of(seed=seed) for seed in range(3)]
    random = torch.Generator().manual_seed(0)
    masks = [[torch.rand(one.shape, generator=random) < 0.5 for one in engine.model.parameters()] for engine in engines]
    fused = FusedEngine(engines)
    before = [[one.detach().clone() for one in engine.model.parameters()] for engine in engines]
    for engine, of_engine in zip(engines, masks, strict=True):
        begin(engine, of_engine)
    fused.train_epochs({number: epoch_of(number) for number in range(3)})
    assert fused.taken_together == 4
    for engine, mine, old in zip(engines, masks, before, strict=True):
        weights = list(zip(engine.model.parameters(), mine, old, strict=True))
        assert all(torch.equal(weight[~mask], was[~mask]) for weight, mask, was in weights)
        assert sum(int((weight[mask] != was[mask]).sum()) for weight, mask, was in weights) > 100


def test_a_slot_that_diverges_does_not_disturb_the_others() -> None:
    contexts = [context_of() for _ in range(3)]
    together = RunsInStep(contexts)
    methods = [RandomLabel(lr=0.02, **OPTIONS), RandomLabel(lr=1e30, **OPTIONS), RandomLabel(lr=0.05, **OPTIONS)]
    runs = [in_slot(together, slot, contexts[slot], method, slot) for slot, method in enumerate(methods)]
    found: list[list[EpochResult]] = [[], [], []]
    for _ in range(2):
        for mine, run in zip(found, runs, strict=True):
            mine += [result for result in [next(run, None)] if result is not None]
    assert [one.diverged for one in found[1]] == [True]
    for slot in (0, 2):
        assert_close(found[slot], by_itself(methods[slot], slot))
    assert together.fused.taken_alone == 0


def test_a_slot_whose_run_was_stopped_takes_the_next_one_beside_those_that_go_on() -> None:
    contexts = [context_of(), context_of()]
    together = RunsInStep(contexts)
    long, short, late = FineTune(epochs=4, batch_size=16), RandomLabel(lr=0.1, **OPTIONS), FineTune(lr=0.05, **OPTIONS)
    first, stopped = in_slot(together, 0, contexts[0], long, 5), in_slot(together, 1, contexts[1], short, 6)
    found = [next(first)]
    next(stopped)
    stopped.close()
    refilled = in_slot(together, 1, contexts[1], late, 7)
    taken: list[EpochResult] = []
    for result in first:
        found.append(result)
        taken += [one for one in [next(refilled, None)] if one is not None]
    assert_close(found, by_itself(long, 5))
    assert_close(taken, by_itself(late, 7))


def test_steps_of_unlike_batches_are_taken_by_each_slot_alone() -> None:
    other_N = torch.arange(100) % 4 == 0
    contexts = [context_of(), context_of(other_N)]
    together, method = RunsInStep(contexts), FineTune(lr=0.05, **OPTIONS)
    runs = [in_slot(together, slot, context, method, slot) for slot, context in enumerate(contexts)]
    mine, theirs = zip(*zip(*runs, strict=True), strict=True)
    assert_close(list(mine), by_itself(method, 0))
    assert_close(list(theirs), by_itself(method, 1, other_N))
    assert together.fused.taken_together == 2 * 4
    assert together.fused.taken_alone == 2 * (1 + 1)  # a last batch of 16 against 11 images


def test_runs_in_step_are_asked_in_turn() -> None:
    contexts = [context_of(), context_of()]
    together, method = RunsInStep(contexts), FineTune(**OPTIONS)
    first, _ = (in_slot(together, slot, context, method, slot) for slot, context in enumerate(contexts))
    next(first)
    with pytest.raises(ValueError, match=r"runs in step go on together: the loss of slots \[1\] was not asked for"):
        next(first)


def test_a_method_that_is_no_descent_says_so() -> None:
    together = RunsInStep([context_of(), context_of()])
    with pytest.raises(ValueError, match=r"SSD: it is no gradient descent over epochs; wanted a method whose runs"):
        together.losses(0, context_of(), SSD(), 0)


class OwnLoop(FineTune):
    def unlearn(self, context: UnlearningContext, seed: int) -> Iterator[float]:
        """Do something after each epoch that nobody knows of."""
        for loss in super().unlearn(context, seed):
            yield loss + 1


def test_a_method_with_a_loop_of_its_own_says_so() -> None:
    together = RunsInStep([context_of(), context_of()])
    with pytest.raises(ValueError, match="fine-tuning: it runs its epochs by itself"):
        together.losses(0, context_of(), OwnLoop(), 0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_networks_side_by_side_come_to_the_same_bits_again(precision: Precision) -> None:
    found = []
    for _ in range(2):
        engines = [begin(engine_of(seed=seed, precision=precision)) for seed in range(3)]
        losses = FusedEngine(engines).train_epochs({seed: epoch_of(seed) for seed in range(3)})
        found.append((losses, [state(engine) for engine in engines]))
    assert found[0][0] == found[1][0]
    for mine, yours in zip(found[0][1], found[1][1], strict=True):
        assert all(torch.equal(one, other) for one, other in zip(mine, yours, strict=True))


@pytest.mark.parametrize("network", [CNN(width=4), CNN(width=3, resize=16), ResNet18(width=2)], ids=str)
def test_networks_side_by_side_end_where_each_ends_by_itself(network: Network) -> None:
    seeds = range(3)
    alone, beside = ([begin(engine_of(network, seed)) for seed in seeds] for _ in range(2))
    fused = FusedEngine(beside)
    losses = [engine.train(epoch_of(seed, lr=0.01)) for seed, engine in enumerate(alone)]
    assert [*fused.train_epochs({seed: epoch_of(seed, lr=0.01) for seed in seeds}).values()] == pytest.approx(
        losses, rel=1e-5
    )
    for mine, yours in zip(beside, alone, strict=True):
        assert mine.images_trained == yours.images_trained
        for one, other in zip(state(mine), state(yours), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_copy_of_a_network_keeps_its_own_weights() -> None:
    engines = [begin(engine_of(seed=seed)) for seed in range(2)]
    fused = FusedEngine(engines)
    kept = state(engines[1])
    engines[0].model.load_state_dict(original(9))
    assert all(torch.equal(one, other) for one, other in zip(state(engines[1]), kept, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(state(engines[0]), original(9).values(), strict=True))
    again = FusedEngine(engines)
    fresh = [begin(engine_of(seed=9)), begin(engine_of(seed=1))]
    again.train_epochs({0: epoch_of(0), 1: epoch_of(1)})
    FusedEngine(fresh).train_epochs({0: epoch_of(0), 1: epoch_of(1)})
    for mine, yours in zip(engines, fresh, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(state(mine), state(yours), strict=True))
    assert fused.taken_together == 0


class Unknown(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Mixing(nn.Module):
    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW - x_NCHW.mean(1, keepdim=True)


class Drawing(nn.Module):
    def forward(self, x_NCHW: Tensor) -> Tensor:
        return dropout(x_NCHW, 0.5, self.training)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.second = self.first

    def forward(self, x_NCHW: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x_NCHW))
        return out


class Own(Network):
    name: Literal["own"] = "own"
    version: ClassVar[int] = 1
    part: Literal["unknown", "mixing", "drawing", "twice", "vit", "no statistics"]

    def body(self, channels: int, classes: int) -> nn.Module:
        if self.part == "vit":
            return ViT(channels, classes)
        norm = nn.BatchNorm2d(4, track_running_stats=False)
        parts = {
            "unknown": Unknown,
            "mixing": Mixing,
            "drawing": Drawing,
            "twice": Twice,
            "no statistics": lambda: norm,
        }
        end = [nn.Flatten(), nn.Linear(4 * 12 * 12, classes)]
        return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), parts[self.part](), *end)


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("unknown", r"1\.1: Unknown has weights, and only Conv2d, .* can be grouped"),
        ("mixing", "its logits side by side are .* it mixes channels, or draws random numbers"),
        ("drawing", "its logits side by side are .* it mixes channels, or draws random numbers"),
        ("twice", "a layer stands in two places"),
        ("no statistics", r"1\.1: wanted running statistics with a momentum, got another batch norm"),
        ("vit", "has weights, and only Conv2d"),
    ],
)
def test_networks_that_cannot_be_side_by_side_are_refused_and_go_on_alone(part: Any, fault: str) -> None:
    engines = [begin(engine_of(Own(part=part), seed)) for seed in range(2)]
    with pytest.raises(NotGroupedError, match=fault):
        FusedEngine(engines)
    other = begin(engine_of(Own(part=part), 0))
    assert engines[0].train(epoch_of(0)) == other.train(epoch_of(0))
    assert all(torch.equal(one, yours) for one, yours in zip(state(engines[0]), state(other), strict=True))


def test_an_epoch_of_several_passes_and_labels_is_that_of_each_by_itself() -> None:
    def passes(seed: int) -> PlannedEpoch:
        whole = epoch_of(seed)
        [one] = whole.data_passes
        assert isinstance(one, DataPass)
        return replace(whole, data_passes=[one, replace(one, labels_M=2 - one.labels_M, loss=uphill)])

    alone, beside = ([begin(engine_of(seed=seed)) for seed in range(2)] for _ in range(2))
    losses = [engine.train(passes(seed)) for seed, engine in enumerate(alone)]
    found = FusedEngine(beside).train_epochs({seed: passes(seed) for seed in range(2)})
    assert list(found.values()) == pytest.approx(losses, rel=1e-4)


def uphill(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    return -0.1 * torch.nn.functional.cross_entropy(logits_BK, labels_B)
