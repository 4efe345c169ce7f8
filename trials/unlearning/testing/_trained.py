"""Data that fits into a second, and networks that are trained on it: what methods and audits are checked on."""

from functools import cache
from typing import Final, get_args

import torch
from torch import Tensor

from unlearning.data import ImageData, SplitName, Synthetic, load
from unlearning.data.augment import AUGMENTATIONS
from unlearning.data.forget import ForgetSet, RandomShare, select
from unlearning.models import CNN
from unlearning.training import Recipe, Training

CLASSES: Final = 3
NETWORK: Final = CNN(width=4)
RECIPE: Final = Recipe(epochs=2, batch_size=32)


@cache
def data() -> ImageData:
    """Return three classes of small images."""
    return load(Synthetic(train=120, val=30, test=30, size=12, classes=CLASSES))


@cache
def forget() -> ForgetSet:
    """Return a fifth of them."""
    return select(RandomShare(fraction=0.2), data(), seed=0)


@cache
def images() -> dict[SplitName, Tensor]:
    """Return the images of each split."""
    return {split: getattr(data(), split).images_NCHW for split in get_args(SplitName)}


@cache
def weights(seed: int = 0, *, retain: bool = False) -> dict[str, Tensor]:
    """Train an original, or an oracle, and return its state dict."""
    train = data().train
    training = Training(
        NETWORK.build(1, data().classes, seed=seed),
        train.images_NCHW,
        train.labels_N,
        forget().retain_R if retain else torch.arange(len(train)),
        recipe=RECIPE,
        augmentation=AUGMENTATIONS["none"],
        seed=seed,
    )
    for _ in range(training.recipe.epochs):
        training.advance()
    return {name: value.clone() for name, value in training.model.state_dict().items()}
