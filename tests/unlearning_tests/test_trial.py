"""One run: it may stop before its method's last epoch, or return to the epoch that unseen images point to."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from unlearning.data import Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine
from unlearning.methods import (
    SSD,
    FineTune,
    ForgetTask,
    GradientAscent,
    HeldOut,
    Method,
    Nothing,
    Scrub,
    UnlearningContext,
)
from unlearning.models import CNN
from unlearning.training import Recipe, Training
from unlearning.trial import EpochResult, unlearn

DATA = load(Synthetic(train=120, val=60, test=30, size=12, classes=3))
FORGET_N = torch.arange(120) % 5 == 0
IMAGES = {"train": DATA.train.images_NCHW, "val": DATA.val.images_NCHW}
SMALL: dict[str, Any] = {"epochs": 4, "batch_size": 16}


def context_of(task: ForgetTask | None = None) -> UnlearningContext:
    model = CNN(width=4).build(1, DATA.classes, seed=5)
    engine = Engine(model, DATA.train.images_NCHW, augmentation=AUGMENTATIONS["none"], precision="float32")
    held_out = HeldOut(DATA.val.images_NCHW, DATA.val.labels_N)
    return UnlearningContext(engine, ForgetTask(DATA.train.labels_N, FORGET_N, DATA.classes), held_out=held_out)


@cache
def original() -> dict[str, Tensor]:
    model = CNN(width=4).build(1, DATA.classes, seed=1)
    training = Training(
        model,
        DATA.train.images_NCHW,
        DATA.train.labels_N,
        torch.arange(120),
        recipe=Recipe(epochs=8, batch_size=16, lr=0.1),
        augmentation=AUGMENTATIONS["none"],
        seed=1,
    )
    for _ in range(8):
        training.advance()
    return {name: value.clone() for name, value in model.state_dict().items()}


def run(method: Method, **options: Any) -> list[EpochResult]:
    return list(unlearn(context_of(), original(), method, 3, IMAGES, **options))  # type: ignore[arg-type]


def error(result: EpochResult, used_N: Tensor) -> float:
    wrong_N = result.logits["train"].argmax(1) != DATA.train.labels_N
    return float(wrong_N[used_N].double().mean())


def unseen_error(result: EpochResult) -> float:
    return float((result.logits["val"].argmax(1) != DATA.val.labels_N).double().mean())


ASCENT = GradientAscent(**SMALL, lr=0.002)


def test_a_run_that_stops_early_ends_with_that_epoch_of_the_whole_schedule() -> None:
    method = FineTune(**SMALL, lr=0.05, schedule="cosine")
    *before, last = run(method, stop_after=2, every_epoch=False)
    whole = run(method)
    assert [result.evaluated for result in before] == [False]
    assert (last.epoch, last.kept) == (2, 2)
    assert torch.equal(last.logits["train"], whole[1].logits["train"])
    assert last.images_unlearn == whole[1].images_unlearn


def test_only_asked_epochs_and_the_last_are_evaluated_and_with_the_same_logits() -> None:
    method = FineTune(**SMALL, lr=0.05)
    some, every = run(method, every_epoch=False, also_after=(2,)), run(method)
    assert [result.evaluated for result in some] == [False, True, False, True]
    assert [bool(result.logits) for result in some] == [False, True, False, True]
    for index in (1, 3):
        assert torch.equal(some[index].logits["train"], every[index].logits["train"])
        assert torch.equal(some[index].logits["val"], every[index].logits["val"])
    assert [result.images_unlearn for result in some] == [result.images_unlearn for result in every]


def test_a_loss_that_is_not_finite_ends_a_run_in_an_epoch_that_is_not_evaluated() -> None:
    results = run(FineTune(**SMALL, lr=1e30), every_epoch=False)
    assert [result.diverged for result in results] == [*[False] * (len(results) - 1), True]
    assert len(results) < 4


def test_rewinding_ends_with_the_epoch_whose_forget_error_is_nearest_to_that_of_unseen_images() -> None:
    plain, rewound = run(ASCENT), run(ASCENT, rewind=True)
    errors = [error(result, FORGET_N) for result in (*run(Nothing()), *plain)]
    distances = [abs(one - unseen_error(plain[-1])) for one in errors]
    kept = distances.index(min(distances))
    assert 0 < kept < ASCENT.epochs
    assert [result.kept for result in rewound] == [1, 2, 3, kept]
    assert torch.equal(rewound[-1].logits["train"], plain[kept - 1].logits["train"])
    assert sum(result.images_unlearn for result in rewound) == sum(result.images_unlearn for result in plain)


def test_rewinding_returns_to_the_original_where_no_epoch_is_nearer() -> None:
    context, still = context_of(), GradientAscent(**SMALL, lr=1e-30, batch_norm="freeze")
    *_, last = unlearn(context, original(), still, 3, IMAGES, rewind=True)  # type: ignore[arg-type]
    assert last.kept == 0
    assert all(torch.equal(value, original()[name]) for name, value in context.model.state_dict().items())


def test_rewinding_any_method_is_the_rule_of_scrub_with_rewinding() -> None:
    options = {**SMALL, "forget_batch_size": 8, "ascent_epochs": 4, "lr": 0.01, "gamma": 0.0, "alpha": 0.0}
    own, ours = run(Scrub(**options, rewind=True)), run(Scrub(**options), rewind=True)
    assert ours[-1].kept < 4
    assert torch.equal(own[-1].logits["train"], ours[-1].logits["train"])


def test_rewinding_does_not_depend_on_whether_epochs_are_evaluated_on_the_way() -> None:
    assert torch.equal(
        run(ASCENT, rewind=True)[-1].logits["val"], run(ASCENT, rewind=True, every_epoch=False)[-1].logits["val"]
    )


@pytest.mark.parametrize(("method", "options"), [(SSD(), {}), (ASCENT, {"stop_after": 2})])
def test_a_run_without_all_epochs_cannot_rewind(method: Method, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rewinding needs all epochs of a method, got"):
        run(method, rewind=True, **options)
