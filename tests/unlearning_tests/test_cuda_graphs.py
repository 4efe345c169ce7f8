"""Recorded steps give what the steps themselves give.

On a machine with a GPU these are CUDA graphs. Elsewhere a recorder stands in for them that does what a graph does: it
notes every kernel with the tensors that it reads and writes, runs none of them for good, and on replay runs them again
on the same tensors. So what a recording must not bake in (rates, masks, weights, labels, draws) is tried on a CPU too.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import repeat
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from unlearning.data import Synthetic, load
from unlearning.data.augment import AUGMENTATIONS, AugmentationName
from unlearning.engine import DataPass, Engine, OptimizerKind
from unlearning.engine._cuda_graphs import SWITCH, WARM_UPS, ReplayError, Replays, replays_wanted
from unlearning.in_step import RunsInStep
from unlearning.methods import (
    AMUN,
    FCS,
    MSG,
    BadTeacher,
    Delete,
    ForgetTask,
    GradientAscent,
    HeldOut,
    Method,
    MUNBa,
    NegGradPlus,
    RandomLabel,
    ReGUn,
    SalUn,
    SalUnSoft,
    Scissorhands,
    Scrub,
    SFRon,
    UnlearningContext,
)
from unlearning.models import CNN
from unlearning.saliency import Saliency
from unlearning.training_loss import TrainingLoss
from unlearning.trial import unlearn

DATA = load(Synthetic(train=70, val=20, test=20, size=12, classes=3))
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Recorder(TorchDispatchMode):
    """Notes kernels as they run, and what they overwrite."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.overwritten: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        if func._schema.is_mutable or func is torch.ops.aten.native_batch_norm.default:  # whose schema keeps it quiet
            self.overwritten += [(one, one.clone()) for one in tensors((args, kwargs))]
        out = func(*args, **kwargs)
        fresh = [] if func.is_view or func._schema.is_mutable else tensors(out)
        self.kernels.append((func, args, kwargs, fresh))
        return out


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


class Graph:
    """Stands in for ``torch.cuda.CUDAGraph`` and for the memory of graphs, of which torch demands two things."""

    _sharing: ClassVar[WeakKeyDictionary["Graph", object]] = WeakKeyDictionary()
    _failed: ClassVar[list[object]] = []

    def __init__(self) -> None:
        self.recorder = Recorder()

    def share(self, pool: object) -> None:
        if pool is not None and pool not in self._sharing.values():
            raise RuntimeError("use_count > 0 INTERNAL ASSERT FAILED")
        if pool in self._failed:
            raise RuntimeError("already recording to mempool_id")
        self._sharing[self] = object() if pool is None else pool

    def fail(self) -> None:
        self._failed.append(self.pool())

    def pool(self) -> object:
        return self._sharing[self]

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, fresh in self.recorder.kernels:
            out = func(*args, **kwargs)
            for mine, new in zip(fresh, tensors(out), strict=False):
                mine.copy_(new)


@contextmanager
def recording(graph: Graph, pool: object, stream: object) -> Iterator[None]:
    graph.share(pool)
    try:
        with graph.recorder:
            yield
    except RuntimeError:
        graph.fail()
        raise
    with torch.no_grad():
        for one, before in reversed(graph.recorder.overwritten):
            one.copy_(before)


class Stream:
    def wait_stream(self, other: object) -> None:
        """Wait for nothing: a CPU does one thing after another."""


@pytest.fixture(autouse=True)
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    if DEVICE.type == "cuda":
        return
    stand_ins = {
        "CUDAGraph": Graph,
        "graph": recording,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda stream: nullcontext(),
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(f"torch.cuda.{name}", stand_in)


def engine_of(augmentation: AugmentationName, *, replays: bool) -> Engine:
    model = CNN(width=4).build(1, DATA.classes, seed=0).to(DEVICE)
    engine = Engine(
        model, DATA.train.images_NCHW.to(DEVICE), augmentation=AUGMENTATIONS[augmentation], precision="float32"
    )
    state = [*model.parameters(), *model.buffers(), *engine.optimizer.velocities, engine._loss_sum]
    engine._replays = Replays(state) if replays else None
    return engine


def trials(engine: Engine, methods: list[Method]) -> Iterator[Tensor]:
    """One trial after another on one engine; the loss and the logits after each epoch."""
    weights = {name: value.clone() for name, value in engine.model.state_dict().items()}
    forget_N = torch.arange(len(DATA.train)) % 5 == 0
    random = torch.Generator().manual_seed(3)
    scores = {
        name: torch.rand(value.shape, generator=random).to(DEVICE) for name, value in engine.model.named_parameters()
    }
    context = UnlearningContext(
        engine,
        ForgetTask(DATA.train.labels_N, forget_N, DATA.classes),
        {"saliency": Saliency(scores)},
        HeldOut(DATA.val.images_NCHW.to(DEVICE), DATA.val.labels_N),
    )
    images = {"train": engine.images_NCHW, "val": DATA.val.images_NCHW.to(DEVICE)}
    for seed, method in enumerate(methods):
        for result in unlearn(context, weights, method, seed, images):  # type: ignore[arg-type]
            yield torch.tensor(result.loss)
            yield from result.logits.values()


OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 16}
METHODS: dict[str, list[Method]] = {
    "rates": [RandomLabel(lr=lr, momentum=momentum, weight_decay=decay, **OPTIONS) for lr, momentum, decay in (
        (0.01, 0.9, 5e-4), (0.1, 0.0, 0.1)
    )],
    "densities": [SalUn(lr=0.02, density=density, **OPTIONS) for density in (0.2, 1.0, 0.7)],
    "losses": [GradientAscent(lr=1e-3, **OPTIONS), RandomLabel(lr=0.02, loop="mixed", **OPTIONS)],
    "modes": [RandomLabel(lr=0.02, batch_norm=mode, **OPTIONS) for mode in ("update", "freeze")],
    "rules": [
        NegGradPlus(lr=lr, alpha=alpha, distance_weight=distance, **OPTIONS)
        for lr, alpha, distance in ((0.01, 0.9, 0.0), (0.02, 0.8, 0.1), (0.02, 0.7, 0.2))
    ],
    "teachers": [
        Scrub(lr=0.01, forget_batch_size=8, ascent_epochs=1, **OPTIONS), BadTeacher(lr=1e-3, **OPTIONS),
        Delete(lr=0.01, **OPTIONS), Scrub(lr=0.02, alpha=0.1, **OPTIONS),
    ],
    "optimisers": [BadTeacher(lr=1e-3, **OPTIONS), FCS(contrast_lr=1e-3, **OPTIONS), MUNBa(lr=0.01, **OPTIONS)],
    "kept": [
        ReGUn(lr=0.01, **OPTIONS), Scissorhands(lr=0.01, projection=True, **OPTIONS), MSG(lr=0.01, **OPTIONS),
        SalUnSoft(lr=0.01, held_share=0.3, **OPTIONS), SalUnSoft(lr=0.02, held_share=0.8, **OPTIONS),
        SFRon(importance="batch", forget_every=2, **OPTIONS),
    ],
    "added": [
        AMUN(lr=0.01, attack_rounds=12, **OPTIONS), NegGradPlus(lr=0.01, **OPTIONS),
        AMUN(lr=0.01, attack_rounds=12, images="adversarial and forget", **OPTIONS),
    ],
    "batches": [RandomLabel(lr=0.02, epochs=1, batch_size=size) for size in (16, 32)],
}  # fmt: skip


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("methods", METHODS.values(), ids=METHODS)
def test_trials_on_recorded_steps_are_those_on_steps(augmentation: AugmentationName, methods: list[Method]) -> None:
    replayed = list(trials(engine_of(augmentation, replays=True), methods))
    stepped = list(trials(engine_of(augmentation, replays=False), methods))
    assert len(replayed) == len(stepped)
    for mine, theirs in zip(replayed, stepped, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


def test_work_of_one_shape_is_recorded_once() -> None:
    engine = engine_of("standard", replays=True)
    engine.begin(momentum=0.9, weight_decay=0.0)
    asked: list[int] = []
    take = engine._take

    def counting(*inputs: Any) -> Tensor:
        asked.append(len(inputs[-1]))
        return take(*inputs)

    engine._take = counting  # type: ignore[method-assign]
    data_pass = DataPass(torch.arange(70), DATA.train.labels_N)
    for _ in range(3):
        engine.train_epoch([data_pass], batch_size=16, learning_rates=repeat(0.01), random=torch.Generator())
    assert set(asked) == {16, 6}
    assert len(asked) == 2 * 4  # for each shape three times to warm up and once to record


@pytest.mark.parametrize(
    "kind",
    [
        OptimizerKind(nesterov=True),
        OptimizerKind("adam", second_decay=0.9, epsilon=1e-3),
        OptimizerKind("adam", decoupled=True),
    ],
)
def test_a_training_by_any_recipe_on_recorded_steps_is_that_on_steps(kind: OptimizerKind) -> None:
    losses = []
    for replays in (True, False):
        engine = engine_of("standard", replays=replays)
        loss = TrainingLoss(torch.tensor([0.5, 1.0, 2.0], device=DEVICE), label_smoothing=0.1)
        data_pass = DataPass(torch.arange(70), DATA.train.labels_N, loss, clip_norm=0.5)
        engine.begin(momentum=0.8, weight_decay=0.01, optimizer=kind)
        rates = iter(0.02 / step for step in range(1, 16))
        random = torch.Generator().manual_seed(0)
        engine.model.train()
        losses.append(
            [engine.train_epoch([data_pass], batch_size=16, learning_rates=rates, random=random) for _ in range(3)]
        )
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][0] > losses[0][2]


@pytest.mark.parametrize(
    "methods",
    [
        [SalUn(lr=0.02, density=0.3, mask="random", **OPTIONS), SalUn(lr=0.05, density=0.7, mask="random", **OPTIONS)],
        [MUNBa(lr=lr, **OPTIONS) for lr in (0.01, 0.02)],
        [BadTeacher(lr=1e-3, **OPTIONS), BadTeacher(lr=2e-3, **OPTIONS)],
    ],
    ids=["salun", "munba", "bad teacher"],
)
def test_recorded_steps_of_several_networks_are_those_of_each(methods: list[Method]) -> None:
    recorded, alone = ([engine_of("standard", replays=False) for _ in methods] for _ in range(2))
    task = ForgetTask(DATA.train.labels_N, torch.arange(len(DATA.train)) % 5 == 0, DATA.classes)
    contexts = [UnlearningContext(engine, task) for engine in recorded]
    together = RunsInStep(contexts)
    together.fused._replays = Replays([])
    for _ in range(2):  # the second time on what the first recorded
        weights = recorded[0].model.state_dict()
        for engine in (*recorded, *alone):
            engine.model.load_state_dict({name: value.clone() for name, value in weights.items()})
        runs = [together.losses(slot, one, methods[slot], slot) for slot, one in enumerate(contexts)]
        expected = [methods[slot].unlearn(UnlearningContext(one, task), slot) for slot, one in enumerate(alone)]
        for mine, theirs in zip(zip(*runs, strict=True), zip(*expected, strict=True), strict=True):
            assert mine == pytest.approx(theirs, rel=1e-3)
        for one, other in zip(recorded, alone, strict=True):
            for mine_NK, theirs_NK in zip(one.model.parameters(), other.model.parameters(), strict=True):
                torch.testing.assert_close(mine_NK, theirs_NK, rtol=1e-3, atol=1e-4)
    assert together.fused.taken_together > 0


def test_an_engine_records_after_all_others_are_gone() -> None:
    losses = []
    for _ in range(2):
        engine = engine_of("none", replays=True)
        engine.begin(momentum=0.9, weight_decay=0.0)
        data_pass = DataPass(torch.arange(70), DATA.train.labels_N)
        losses.append(
            engine.train_epoch([data_pass], batch_size=70, learning_rates=repeat(0.01), random=torch.Generator())
        )
        del engine
        gc.collect()
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_recording_leaves_no_trace() -> None:
    value = torch.ones(3, device=DEVICE)
    replays = Replays([value])

    def double(factor: Tensor) -> Tensor:
        return value.mul_(factor)

    replays.run("double", double, [torch.full((), 2.0, device=DEVICE)])
    assert value.tolist() == [2, 2, 2]
    replays.run("double", double, [torch.full((), 5.0, device=DEVICE)])
    assert value.tolist() == [10, 10, 10]


@pytest.mark.parametrize(("work", "fault"), [("counts its calls", True), ("is the same each time", False)])
def test_work_that_is_another_on_replay_is_refused(work: str, fault: bool) -> None:
    calls = iter(range(100))
    bakes: Callable[[], float] = (lambda: float(next(calls))) if fault else (lambda: 1.0)

    def add(one: Tensor) -> Tensor:
        return one + bakes()

    replays = Replays([])
    if fault:
        with pytest.raises(ReplayError, match=r"tensor 0 of 1, \(2,\), is .* from what the work itself gives"):
            replays.run(work, add, [torch.zeros(2, device=DEVICE)])
    else:
        assert replays.run(work, add, [torch.zeros(2, device=DEVICE)]).tolist() == [1, 1]


def test_work_that_cannot_be_recorded_is_refused_and_other_work_goes_on() -> None:
    one = torch.ones(2, device=DEVICE)
    replays = Replays([])
    assert replays.run("doubles", lambda x: 2 * x, [one]).tolist() == [2, 2]
    with pytest.raises(ReplayError, match=r"recording GPU work: .* cannot be recorded; UNLEARNING_CUDA_GRAPHS=off"):
        replays.run("waits", lambda x: x * float(x.sum()), [one])
    assert replays.run("doubles", lambda x: 2 * x, [3 * one]).tolist() == [6, 6]
    assert replays.run("trebles", lambda x: 3 * x, [one]).tolist() == [3, 3]


def test_running_out_of_memory_while_recording_is_told_as_that() -> None:
    calls = iter(range(100))

    def greedy(x: Tensor) -> Tensor:
        more = x + 1
        if next(calls) == WARM_UPS:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return more

    with pytest.raises(torch.OutOfMemoryError):
        Replays([]).run("greedy", greedy, [torch.zeros(2, device=DEVICE)])


def test_the_environment_switches_replays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    assert replays_wanted()
    monkeypatch.setenv(SWITCH, "off")
    assert not replays_wanted()
    monkeypatch.setenv(SWITCH, "no")
    with pytest.raises(ValueError, match="UNLEARNING_CUDA_GRAPHS: wanted on or off, got 'no'"):
        replays_wanted()
