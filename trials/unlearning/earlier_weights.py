"""Earlier weights of an original: where its training was before a share of it is undone.

Source: Mu and Klabjan, "Rewind-to-Delete: Certified Machine Unlearning for Nonconvex Functions" (arXiv 2409.09778).
"""

from collections.abc import Mapping
from typing import Final

from torch import Tensor

EARLIER_WEIGHTS_VERSION: Final = 1
"""Raised when the meaning of the weights changes."""

UNDONE: Final = (10, 25, 50, 75)
"""Percents of a training's epochs that can be undone."""


def epochs_left(epochs: int) -> dict[int, int]:
    """Return for each percent of `UNDONE` how many epochs of a training are left; at least one is undone."""
    return {percent: epochs - max(1, round(epochs * percent / 100)) for percent in UNDONE}


def read_weights(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Return state dicts by percent, from tensors called ``PERCENT/NAME``."""
    found: dict[int, dict[str, Tensor]] = {percent: {} for percent in UNDONE}
    for name, value in tensors.items():
        percent, _, own = name.partition("/")
        found[int(percent)][own] = value
    return found
