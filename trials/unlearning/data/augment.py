"""Augmentations: batched, seeded tensor code on the device, the same draw for a sample wherever it is used.

An augmentation draws once an epoch for every training image by index. An original and its oracle, trained from one
seed, therefore see the same augmented view of a shared image in the same epoch.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

AugmentationName = Literal["none", "standard"]


class Augmentation(ABC):
    """One choice of augmentation.

    Attributes:
        version: raised by hand when the same name comes to mean another augmentation; its models are then trained anew.
        numbers: how many numbers it draws for an image, D.
    """

    version: ClassVar[int] = 1
    numbers: ClassVar[int]

    @abstractmethod
    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Draw an epoch's augmentation of ``count`` training images: int64, (count, D), on the CPU."""

    @abstractmethod
    def apply(self, images_BCHW: Tensor, drawn_BD: Tensor) -> Tensor:
        """Augment a uint8 batch by what was drawn for its images, on the batch's device."""


class NoAugmentation(Augmentation):
    """Every image as it is."""

    numbers = 0

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Draw nothing."""
        return torch.empty((count, 0), dtype=torch.int64)

    def apply(self, images_BCHW: Tensor, drawn_BD: Tensor) -> Tensor:
        """Return the images as they are."""
        return images_BCHW


class CropAndFlip(Augmentation):
    """Random crop at the image's own size after zero padding of 4 pixels, then a horizontal flip of every second image.

    The standard augmentation of the small-image literature (He et al., 2016, section 4.2).
    """

    numbers = 3
    padding = 4

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Draw a crop's offset down and across, and 1 for a flip or 0, for each image."""
        offsets_N2 = torch.randint(0, 2 * self.padding + 1, (count, 2), generator=random)
        flips_N = torch.randint(0, 2, (count,), generator=random)
        return torch.cat([offsets_N2, flips_N[:, None]], 1)

    def apply(self, images_BCHW: Tensor, drawn_BD: Tensor) -> Tensor:
        """Crop and flip each image by its own three numbers."""
        count, channels, height, width = images_BCHW.shape
        device = images_BCHW.device
        rows_BH = drawn_BD[:, :1] + torch.arange(height, device=device)
        columns_W = torch.arange(width, device=device)
        columns_BW = drawn_BD[:, 1:2] + torch.where(drawn_BD[:, 2:] > 0, columns_W.flip(0), columns_W)
        padded = pad(images_BCHW, [self.padding] * 4)
        return padded[
            torch.arange(count, device=device)[:, None, None, None],
            torch.arange(channels, device=device)[:, None, None],
            rows_BH[:, None, :, None],
            columns_BW[:, None, None, :],
        ]


AUGMENTATIONS: dict[AugmentationName, Augmentation] = {"none": NoAugmentation(), "standard": CropAndFlip()}
