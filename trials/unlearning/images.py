"""What is asked of the images that a network is fitted to, trained on and evaluated on, wherever they lie."""

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor


class Images(Protocol):
    """Uint8 images (N, C, H, W) as an engine reads them: a tensor, or images that are streamed to a device."""

    @property
    def device(self) -> torch.device:
        """Where batches are computed with."""

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""

    def __len__(self) -> int:
        """Count the images."""

    def __getitem__(self, indices_M: Tensor, /) -> Tensor:
        """Gather images on the device, by int64 indices (M,)."""

    def split(self, size: int, /) -> Iterable[Tensor]:
        """Return the images in their order, so many at a time, on the device."""
