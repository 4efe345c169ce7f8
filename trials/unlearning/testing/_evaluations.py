"""Models that metrics and audits are checked on: random predictions for three classes, with a control half."""

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from unlearning.metrics import Evaluation, Predictions, Split

CLASSES: Final = 3
_IMAGES: Final[dict[Split, int]] = {"train": 60, "val": 30, "test": 30}
_FORGOTTEN: Final = 15
_KEPT_OUT: Final = 15


def compared(nonmembers: Split = "test", *, several: bool = False) -> Evaluation:
    """Make a model that has an oracle to be compared with."""
    oracle = evaluation(1, nonmembers, several=several)
    return replace(evaluation(0, nonmembers, several=several), oracle=oracle, references=(oracle,))


def evaluation(seed: int, nonmembers: Split = "test", *, several: bool = False) -> Evaluation:
    """Make a model that has nothing to be compared with, of one class an image or of several labels."""
    random = torch.Generator().manual_seed(seed)
    predictions = {
        split: Predictions(torch.randn(count, CLASSES, generator=random), _labels(count, several))
        for split, count in _IMAGES.items()
    }
    sizes = (_FORGOTTEN, _IMAGES["train"] - _FORGOTTEN - _KEPT_OUT, _KEPT_OUT)
    forget_F, retain_R, control_C = torch.arange(_IMAGES["train"]).split(sizes)
    return Evaluation(predictions, forget_F, retain_R, nonmembers, seed=0, control_C=control_C)


def _labels(count: int, several: bool) -> Tensor:
    """Return the classes in turn; of several labels all sets of them in turn."""
    places_N = torch.arange(count)
    return (places_N[:, None] >> torch.arange(CLASSES)) % 2 if several else places_N % CLASSES
