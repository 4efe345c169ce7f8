"""Models that metrics and audits are checked on: random predictions for three classes."""

from dataclasses import replace
from typing import Final

import torch

from unlearning.metrics import Evaluation, Predictions, Split

CLASSES: Final = 3
CLASS_NAMES: Final = tuple(f"class {k}" for k in range(CLASSES))
FIRST_OF_POOLS: Final = 3
"""The seed of the first model of pools; those before are the audited model, its oracle and its original."""
_IMAGES: Final[dict[Split, int]] = {"train": 60, "val": 30, "test": 30}
_FORGOTTEN: Final = 15


def compared(nonmembers: Split = "test") -> Evaluation:
    """Make a model that has an oracle to be compared with."""
    oracle = evaluation(1, nonmembers)
    return replace(evaluation(0, nonmembers), oracle=oracle, references=(oracle,))


def original(nonmembers: Split = "test") -> Evaluation:
    """Make the model that the one of `compared` was made from."""
    return evaluation(2, nonmembers)


def evaluation(seed: int, nonmembers: Split = "test") -> Evaluation:
    """Make a model that has nothing to be compared with."""
    random = torch.Generator().manual_seed(seed)
    predictions = {
        split: Predictions(torch.randn(count, CLASSES, generator=random), torch.arange(count) % CLASSES)
        for split, count in _IMAGES.items()
    }
    retain_R = torch.arange(_FORGOTTEN, _IMAGES["train"])
    return Evaluation(predictions, torch.arange(_FORGOTTEN), retain_R, nonmembers, seed=0)
