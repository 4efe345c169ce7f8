"""Our loop against weights that the SalUn authors' public code produced (see tests/fidelity/make_weights.py)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_network import network
from torch import Tensor, nn

from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import DataPass, Engine
from unlearning.methods import FineTune, ForgetTask, GradientAscent, RandomLabel, SalUn, SGDMethod, UnlearningContext
from unlearning.saliency import Saliency, saliency_scores

REFERENCE = np.load(Path(__file__).parents[1] / "fidelity" / "weights.npz")
BATCH = 16


def original() -> nn.Sequential:
    model = network()
    model.load_state_dict(tensors("original"))
    return model


def tensors(group: str) -> dict[str, Tensor]:
    prefix = f"{group}/"
    return {
        name.removeprefix(prefix): torch.from_numpy(REFERENCE[name])
        for name in REFERENCE.files
        if name.startswith(prefix)
    }


def images_and_labels(part: str) -> tuple[Tensor, Tensor]:
    """The loop divides pixels by 255, so the reference's [0, 1] images are given times 255."""
    return torch.from_numpy(REFERENCE[f"x_{part}"]) * 255, torch.from_numpy(REFERENCE[f"y_{part}"])


def scores() -> dict[str, Tensor]:
    return saliency_scores(original(), *images_and_labels("forget"), batch_size=BATCH)


def test_saliency_scores_are_those_of_the_authors_code() -> None:
    ours = scores()
    for name, theirs in tensors("saliency").items():
        torch.testing.assert_close(ours[name], theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("density", [0.1, 0.3, 0.5, 0.9])
def test_masks_are_exactly_those_of_the_authors_code(density: float) -> None:
    ours = Saliency(scores()).masks(density)
    for mask, theirs in zip(ours, tensors(f"mask_{density}").values(), strict=True):
        assert torch.equal(mask, theirs)


def with_labels(data_passes: Sequence[DataPass], labels: Iterator[Tensor] | None) -> list[DataPass]:
    """Puts the labels that the authors' code drew in the place of ours."""
    if labels is None:
        return list(data_passes)
    return [replace(data_passes[0], labels_M=next(labels)), *data_passes[1:]]


@pytest.mark.parametrize(
    ("group", "method", "drawn"),
    [
        ("salun", SalUn(lr=0.01, density=0.5, epochs=2, batch_size=BATCH), "salun_labels"),
        ("random_label", RandomLabel(lr=0.01, epochs=2, batch_size=BATCH), "random_label_labels"),
        ("finetune", FineTune(lr=0.01, epochs=2, batch_size=BATCH), None),
        ("gradient_ascent", GradientAscent(lr=0.002, epochs=2, batch_size=BATCH), None),
    ],
)
def test_weights_after_two_epochs_are_those_of_the_authors_code(
    group: str, method: SGDMethod, drawn: str | None
) -> None:
    x_retain, y_retain = images_and_labels("retain")
    x_forget, y_forget = images_and_labels("forget")
    images, labels = torch.cat([x_retain, x_forget]), torch.cat([y_retain, y_forget])
    task = ForgetTask(labels, torch.arange(len(labels)) >= len(y_retain), classes=8)
    model = original()
    engine = Engine(model, images, augmentation=AUGMENTATIONS["none"], precision="float32")
    masks = method.masks(UnlearningContext(engine, task, {"saliency": Saliency(scores())}), seed=0)
    engine.begin(momentum=method.momentum, weight_decay=method.weight_decay, masks=masks)
    labels_by_epoch = None if drawn is None else iter(torch.from_numpy(REFERENCE[drawn]).view(2, -1))
    random = torch.Generator()
    order = torch.arange(len(labels))
    for _ in range(method.epochs):
        model.train()
        engine.train_epoch(
            with_labels(method.data_passes(task, order, random), labels_by_epoch),
            batch_size=method.batch_size,
            learning_rates=repeat(method.lr),
            random=random,
        )
    for name, theirs in tensors(group).items():
        torch.testing.assert_close(model.state_dict()[name], theirs, rtol=0, atol=1e-5)
