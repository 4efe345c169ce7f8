"""Data that fits into a second, and networks that are trained on it: what methods and audits are checked on."""

from functools import cache
from typing import Final, get_args

import torch
from torch import Tensor

from unlearning.data import ImageData, Planted, SplitName, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import ForgetSet, RandomShare, select
from unlearning.methods import ForgetTask
from unlearning.models import CNN
from unlearning.training import Recipe, Training

CLASSES: Final = 3
NETWORK: Final = CNN(width=4)
RECIPE: Final = Recipe(epochs=2, batch_size=32)


@cache
def data(*, several: bool = False) -> ImageData:
    """Return three classes of small images, or images with any number of three labels."""
    return load(Synthetic(train=120, val=30, test=30, size=12, classes=CLASSES, multi_label=several or None))


@cache
def forget(*, several: bool = False) -> ForgetSet:
    """Return a fifth of them, and another fifth as control half."""
    return select(RandomShare(fraction=0.2, control=True), data(several=several), seed=0)


@cache
def planted(*, several: bool = False) -> Planted:
    """Return what is said to have been planted: noise, and, of one class an image, swapped labels of the first two."""
    train, forget_F = data(several=several).train, forget(several=several).indices_F
    images_FCHW, labels_F = train.images_NCHW[forget_F], train.labels_N[forget_F]
    noise_FCHW = 0.1 * torch.randn(images_FCHW.shape, generator=torch.Generator().manual_seed(0))
    swapped_F = labels_F if several else torch.where(labels_F < 2, 1 - labels_F, labels_F)
    return Planted(swapped_F, images_FCHW, noise_FCHW)


@cache
def task(*, several: bool = False) -> ForgetTask:
    """Return what is to be forgotten, as a method sees it."""
    train, chosen = data(several=several).train, forget(several=several)
    forget_N, control_N = (
        torch.zeros(len(train), dtype=torch.bool).index_fill_(0, indices_M, True)
        for indices_M in (chosen.indices_F, chosen.control_C)
    )
    return ForgetTask(train.labels_N, forget_N, CLASSES, control_N)


@cache
def images(*, several: bool = False) -> dict[SplitName, Tensor]:
    """Return the images of each split."""
    return {split: getattr(data(several=several), split).images_NCHW for split in get_args(SplitName)}


@cache
def weights(seed: int = 0, *, retain: bool = False, several: bool = False) -> dict[str, Tensor]:
    """Train an original, or an oracle, and return its state dict."""
    train, trained_on = data(several=several).train, task(several=several)
    training = Training(
        NETWORK.build(1, CLASSES, seed=seed),
        train.images_NCHW,
        train.labels_N,
        (trained_on.in_retain if retain else trained_on.in_train).nonzero().flatten(),
        recipe=RECIPE,
        augmentation=AUGMENTATIONS["none"],
        seed=seed,
    )
    for _ in range(training.recipe.epochs):
        training.advance()
    return {name: value.clone() for name, value in training.model.state_dict().items()}
