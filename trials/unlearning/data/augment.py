"""Augmentation arms: batched, seeded tensor code on the device, the same draw for a sample wherever it is used.

An arm draws once an epoch for every training image by index. An original and its oracle, trained from one seed,
therefore see the same augmented view of a shared image in the same epoch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

ArmName = Literal["none", "standard"]

Augment = Callable[[Tensor, Tensor], Tensor]
"""``(images_BCHW, indices_B) -> images_BCHW``: augments a uint8 batch of the training images with these indices."""


class Arm(ABC):
    """One choice of augmentation."""

    @abstractmethod
    def draw(self, count: int, random: torch.Generator, device: torch.device) -> Augment:
        """Draw this epoch's augmentation of ``count`` training images."""


class NoAugmentation(Arm):
    """Every image as it is."""

    def draw(self, count: int, random: torch.Generator, device: torch.device) -> Augment:
        """Draw nothing."""
        return lambda images_BCHW, indices_B: images_BCHW


class CropAndFlip(Arm):
    """Random crop at the image's own size after zero padding of 4 pixels, then a horizontal flip of every second image.

    The standard augmentation of the small-image literature (He et al., 2016, section 4.2).
    """

    padding = 4

    def draw(self, count: int, random: torch.Generator, device: torch.device) -> Augment:
        """Draw a crop offset and a flip for each image."""
        offsets_N2 = torch.randint(0, 2 * self.padding + 1, (count, 2), generator=random).to(device, non_blocking=True)
        flips_N = torch.randint(0, 2, (count,), generator=random).bool().to(device, non_blocking=True)

        def augment(images_BCHW: Tensor, indices_B: Tensor) -> Tensor:
            return self._crop(images_BCHW, offsets_N2[indices_B], flips_N[indices_B])

        return augment

    def _crop(self, images_BCHW: Tensor, offsets_B2: Tensor, flips_B: Tensor) -> Tensor:
        count, channels, height, width = images_BCHW.shape
        device = images_BCHW.device
        rows_BH = offsets_B2[:, :1] + torch.arange(height, device=device)
        columns_W = torch.arange(width, device=device)
        columns_BW = offsets_B2[:, 1:] + torch.where(flips_B[:, None], columns_W.flip(0), columns_W)
        padded = pad(images_BCHW, [self.padding] * 4)
        return padded[
            torch.arange(count, device=device)[:, None, None, None],
            torch.arange(channels, device=device)[:, None, None],
            rows_BH[:, None, :, None],
            columns_BW[:, None, None, :],
        ]


ARMS: dict[ArmName, Arm] = {"none": NoAugmentation(), "standard": CropAndFlip()}
