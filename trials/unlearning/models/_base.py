"""The contract of a network for small images, and the normalisation that all of them begin with."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from unlearning.images import Images
from unlearning.options import Options


class Normalise(nn.Module):
    """Subtracts the training data's mean and divides by its standard deviation, per channel, in [0, 1] units."""

    mean_1C11: Tensor
    std_1C11: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean_1C11", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std_1C11", torch.ones(1, channels, 1, 1))

    def fit(self, images_NCHW: Images) -> None:
        """Take the statistics of these uint8 images, chunk by chunk; a constant channel is left at unit scale."""
        levels = torch.arange(256, dtype=torch.float64) / 255
        counts_C256 = torch.zeros(images_NCHW.shape[1], 256, dtype=torch.float64)
        for chunk_BCHW in images_NCHW.split(1024):
            for channel, counts in enumerate(counts_C256):
                counts += torch.bincount(chunk_BCHW[:, channel].flatten(), minlength=256).cpu()
        for channel, counts in enumerate(counts_C256):
            share = counts / counts.sum()
            mean = (share * levels).sum()
            std = (share * (levels - mean) ** 2).sum().sqrt()
            self.mean_1C11[0, channel] = mean
            self.std_1C11[0, channel] = std if std > 0 else 1.0

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Normalise images in [0, 1]."""
        return (images_NCHW - self.mean_1C11) / self.std_1C11


class MeanOverPixels(nn.Module):
    """Averages each channel: (N, C, H, W) to (N, C, 1, 1).

    ``nn.AdaptiveAvgPool2d`` returns a gradient with channels first to a network with channels last, which costs a
    CPU 5 % of a step (LOG.md).
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Average over the pixels."""
        return x_NCHW.permute(0, 2, 3, 1).flatten(1, 2).mean(1)[:, :, None, None]


class Network(Options, ABC):
    """A network that a study can choose by name.

    Attributes:
        version: raised by hand when the same options come to mean another network; its models are then trained anew.
    """

    version: ClassVar[int] = 1

    def build(self, channels: int, classes: int, seed: int) -> nn.Sequential:
        """Build the network with weights drawn from ``seed``, laid out with channels last, as the loop lays out images.

        ``Normalise`` is its first module, not yet fitted.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = nn.Sequential(Normalise(channels), self.body(channels, classes))
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @abstractmethod
    def body(self, channels: int, classes: int) -> nn.Module:
        """Build what follows the normalisation: normalised (N, C, H, W) images to (N, K) logits."""
