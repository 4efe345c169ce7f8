"""Rival methods against weights that their authors' public code produced (see tests/fidelity/make_rivals.py)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine, Stream
from unlearning.methods import (
    FCS,
    BadTeacher,
    ConvolutionTranspose,
    Delete,
    Epoch,
    ForgetTask,
    HeldOut,
    L1Sparse,
    Method,
    MUNBa,
    NegGradPlus,
    Scrub,
    UnlearningContext,
)
from unlearning.methods._ct import transpose_kernels
from unlearning.methods._munba import bisector

FIDELITY = Path(__file__).parents[1] / "fidelity"
WEIGHTS, RIVALS = np.load(FIDELITY / "weights.npz"), np.load(FIDELITY / "rivals.npz")
SMALL: dict[str, Any] = {"epochs": 2, "batch_size": 16, "lr": 0.01}

State = dict[str, Tensor]


class Mean(nn.Module):
    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW.mean((2, 3))


def network() -> nn.Sequential:
    layers = {
        "conv1": nn.Conv2d(3, 8, 3, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(8),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        "bn2": nn.BatchNorm2d(16),
        "relu2": nn.ReLU(),
        "mean": Mean(),
        "fc": nn.Linear(16, 8),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def tensors(group: str, file: Any = RIVALS) -> State:
    prefix = f"{group}/"
    return {name.removeprefix(prefix): torch.from_numpy(file[name]) for name in file.files if name.startswith(prefix)}


def images_and_labels(part: str) -> tuple[Tensor, Tensor]:
    """The loop divides pixels by 255, so the reference's [0, 1] images are given times 255."""
    file = RIVALS if part == "test" else WEIGHTS
    return torch.from_numpy(file[f"x_{part}"]) * 255, torch.from_numpy(file[f"y_{part}"])


def context_of() -> UnlearningContext:
    """Retain images first, then forget images; the test images are held out."""
    (x_retain, y_retain), (x_forget, y_forget) = images_and_labels("retain"), images_and_labels("forget")
    labels = torch.cat([y_retain, y_forget])
    model = network()
    model.load_state_dict(tensors("original", WEIGHTS))
    images = torch.cat([x_retain, x_forget])
    engine = Engine(model, images, augmentation=AUGMENTATIONS["none"], precision="float32")
    task = ForgetTask(labels, torch.arange(len(labels)) >= len(y_retain), classes=8)
    return UnlearningContext(engine, task, held_out=HeldOut(*images_and_labels("test")))


@pytest.fixture(autouse=True)
def _file_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference's batches are cut in the order of the file."""
    monkeypatch.setattr("unlearning.methods._sgd.epoch_order", lambda seed, epoch, count: torch.arange(count))


def states(method: Method, context: UnlearningContext | None = None) -> Iterator[State]:
    """The weights after each epoch."""
    context = context or context_of()
    for _ in method.unlearn(context, seed=0):
        yield {name: value.clone() for name, value in context.model.state_dict().items()}


def expect(state: State, group: str, tolerance: float = 5e-6) -> None:
    theirs = tensors(group)
    assert theirs
    for name, value in theirs.items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}")


class TheirRandomTeacher(BadTeacher):
    def random_teacher(self, context: UnlearningContext, seed: int) -> State:
        return {**context.model.state_dict(), **tensors("bad_teacher/random_teacher")}

    def passes(self, context: UnlearningContext, epoch: Epoch) -> Any:
        order = torch.from_numpy(RIVALS["bad_teacher/order"])[epoch.number - 1]
        forget_first = torch.where(order < 48, order + 96, order - 48)
        return super().passes(context, Epoch(epoch.number, forget_first, epoch.random, epoch.prepared))


class TheirLabels(MUNBa):
    def draw_labels(self, task: ForgetTask, forget: Stream, epoch: Epoch) -> Tensor:
        return torch.from_numpy(RIVALS["munba/random_labels"]).view(2, -1)[epoch.number - 1]


NO_MOMENTUM = {"momentum": 0.0, "weight_decay": 0.0}
TWO_EPOCHS: dict[str, Callable[[], Method]] = {
    "neggradplus/train": lambda: NegGradPlus(**SMALL),
    "neggradplus/frozen": lambda: NegGradPlus(**SMALL, batch_norm="freeze", distance_weight=0.1),
    "neggradplus/rum": lambda: NegGradPlus(**SMALL, momentum=0.9, weight_decay=5e-4),
    "l1_sparse": lambda: L1Sparse(**SMALL),
    "delete/train": lambda: Delete(**SMALL),
    "delete/frozen_bn": lambda: Delete(**SMALL, batch_norm="freeze"),
    "delete/train_lr0.05": lambda: Delete(**{**SMALL, "lr": 0.05}),
    "ct/end": lambda: ConvolutionTranspose(**SMALL),
    "munba/end": lambda: TheirLabels(**SMALL),
    "fcs/end": lambda: FCS(**{**SMALL, "lr": 0.001}, contrast_lr=3e-3),
    "bad_teacher/mean_adam": lambda: TheirRandomTeacher(
        **{**SMALL, "lr": 1e-3}, retain_share=1.0, reduction="elements"
    ),
    "bad_teacher/batchmean_adam": lambda: TheirRandomTeacher(**{**SMALL, "lr": 1e-3}, retain_share=1.0),
    "bad_teacher/mean_adam_evalmode": lambda: TheirRandomTeacher(
        **{**SMALL, "lr": 1e-3}, retain_share=1.0, reduction="elements", batch_norm="freeze"
    ),
    "bad_teacher/mean_sgd": lambda: TheirRandomTeacher(
        **{**SMALL, "lr": 0.1}, retain_share=1.0, reduction="elements", optimizer="sgd"
    ),
    "bad_teacher/batchmean_sgd": lambda: TheirRandomTeacher(**{**SMALL, "lr": 0.1}, retain_share=1.0, optimizer="sgd"),
}
TOLERANCES = {"munba/end": 2e-5, "bad_teacher/batchmean_sgd": 1e-5, "scrub/rewind": 2e-5}
"""Where rounding grows beyond 5e-6: weights that move by 2.5, and five epochs at a high rate."""


@pytest.mark.parametrize("group", TWO_EPOCHS)
def test_weights_after_two_epochs_are_those_of_the_authors_code(group: str) -> None:
    *_, end = states(TWO_EPOCHS[group]())
    expect(end, group, TOLERANCES.get(group, 5e-6))


def test_scrub_passes_the_weights_of_the_authors_code_on_its_way() -> None:
    first, second = states(Scrub(**SMALL, forget_batch_size=16, ascent_epochs=1))
    expect(first, "scrub/epoch1")
    expect(second, "scrub/epoch2")


def test_scrub_climbs_on_the_forget_set_to_the_weights_of_the_authors_code() -> None:
    method, context = Scrub(**SMALL, forget_batch_size=16, ascent_epochs=1, gamma=0, alpha=0), context_of()

    class AscentAlone(Scrub):
        def passes(self, context: UnlearningContext, epoch: Epoch) -> Any:
            return super().passes(context, epoch)[:1]

    first, _ = states(AscentAlone(**{**method.model_dump(), "ascent_epochs": 2}), context)
    expect(first, "scrub/epoch1_after_max")


def test_scrub_rewinds_to_the_epoch_that_the_authors_code_picks() -> None:
    options: dict[str, Any] = {"epochs": 5, "batch_size": 16, "lr": 0.03, "forget_batch_size": 16, "ascent_epochs": 4}
    for number, state in enumerate(states(Scrub(**options)), 1):
        expect(state, f"scrub/rewind/epoch{number}", TOLERANCES["scrub/rewind"])
    *_, picked = states(Scrub(**options, rewind=True))
    expect(picked, "scrub/rewind/epoch3", TOLERANCES["scrub/rewind"])


def test_kernels_are_transposed_as_in_the_authors_code() -> None:
    model = context_of().model
    transpose_kernels(model)
    expect(model.state_dict(), "ct/after_transpose", 0)


def test_the_bargain_is_the_unit_bisector_of_the_two_gradients() -> None:
    retain, forget = (torch.from_numpy(RIVALS[f"munba/step0_g_{part}"]) for part in ("retain", "forget"))
    [update] = bisector([retain], [forget])
    torch.testing.assert_close(update, torch.from_numpy(RIVALS["munba/step0_closed_form"]), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        update / update.norm(), torch.from_numpy(RIVALS["munba/step0_update_clipped"]), rtol=0, atol=2e-5
    )


def test_the_bargain_of_opposite_gradients_is_finite() -> None:
    one = torch.tensor([3.0, -4.0])
    [update] = bisector([one], [-2 * one])
    assert update.isfinite().all()
