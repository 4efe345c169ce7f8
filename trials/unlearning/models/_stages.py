"""What stands before and behind the body of every network: its images, normalised and resized, and a logit a class."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from unlearning.errors import InputError


class Normalise(nn.Module):
    """Subtracts a mean and divides by a standard deviation, per channel, in [0, 1] units; then resizes if asked to.

    Args:
        channels: C.
        size: side length in pixels that images are resized to, bilinearly and without smoothing; None: as they are.
        given: mean and standard deviation of each channel; None: those of the images that `fit` gets.
    """

    mean_1C11: Tensor
    std_1C11: Tensor

    def __init__(
        self, channels: int, *, size: int | None = None, given: tuple[Sequence[float], Sequence[float]] | None = None
    ) -> None:
        super().__init__()
        mean, std = given or ([0.0] * channels, [1.0] * channels)
        self.register_buffer("mean_1C11", torch.tensor(mean, dtype=torch.float32).view(1, channels, 1, 1))
        self.register_buffer("std_1C11", torch.tensor(std, dtype=torch.float32).view(1, channels, 1, 1))
        self.size, self.is_given = size, given is not None

    def fit(self, images_NCHW: Tensor) -> None:
        """Take the statistics of these uint8 images, unless they are given; a constant channel stays at unit scale."""
        if self.is_given:
            return
        levels = torch.arange(256, dtype=torch.float64) / 255
        for channel in range(images_NCHW.shape[1]):
            counts = torch.zeros(256, dtype=torch.float64)
            for chunk in images_NCHW[:, channel].split(4096):
                counts += torch.bincount(chunk.flatten(), minlength=256).cpu()
            share = counts / counts.sum()
            mean = (share * levels).sum()
            std = (share * (levels - mean) ** 2).sum().sqrt()
            self.mean_1C11[0, channel] = mean
            self.std_1C11[0, channel] = std if std > 0 else 1.0

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Normalise images in [0, 1]."""
        normalised_NCHW = (images_NCHW - self.mean_1C11) / self.std_1C11
        if self.size is None:
            return normalised_NCHW
        return interpolate(normalised_NCHW, (self.size, self.size), mode="bilinear", align_corners=False)


class Logits(nn.Module):
    """Passes on a logit for each class; of two classes that share one logit z, the logits become (0, z).

    The softmax of (0, z) is the sigmoid of z, so the cross-entropy of the two is the binary cross-entropy of z.

    Args:
        classes: K.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, output: Tensor) -> Tensor:
        """Return logits (N, K).

        Raises:
            InputError: the body returned something else.
        """
        if not isinstance(output, Tensor):
            raise InputError(f"{self._wanted}, got {type(output).__name__}, which is no tensor")
        if output.dim() == 2 and output.shape[1] == self.classes:
            return output
        if self.classes == 2 and (output.dim() == 1 or (output.dim() == 2 and output.shape[1] == 1)):
            z_N1 = output.reshape(-1, 1)
            return torch.cat([torch.zeros_like(z_N1), z_N1], 1)
        raise InputError(f"{self._wanted}, got {tuple(output.shape)}")

    @property
    def _wanted(self) -> str:
        one = ", or (N, 1), one for both classes" if self.classes == 2 else ""
        return f"wanted an output of (N, {self.classes}), a logit for each class{one}"


class MeanOverPixels(nn.Module):
    """Averages each channel: (N, C, H, W) to (N, C, 1, 1).

    ``nn.AdaptiveAvgPool2d`` returns a gradient with channels first to a network with channels last, which costs a
    CPU 5 % of a step (LOG.md).
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Average over the pixels."""
        return x_NCHW.permute(0, 2, 3, 1).flatten(1, 2).mean(1)[:, :, None, None]
