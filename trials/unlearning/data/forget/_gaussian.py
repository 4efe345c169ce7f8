"""A request for images to which noise is added before anything is trained."""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from annotated_types import Gt, Interval, Le
from pydantic import Field
from torch import Tensor

from unlearning.data._base import ImageData, Planted, Planting
from unlearning.data.forget._base import Asked, ForgetRequest, draw, percent, with_planted


class Gaussian(ForgetRequest):
    """A random share of the train images, with Gaussian noise of their own wherever a model is trained on them.

    Gaussian canaries: a model that was trained on an image with noise has learnt something of that very noise, and one
    that was not knows nothing of it. A test of a method, and no request that somebody could make of a model that is in
    use.

    Source: "Machine unlearning fails to remove data poisoning attacks" (ICLR 2025, arXiv 2406.17216), the Gaussian
    unlearning score.
    """

    kind: Literal["gaussian"] = "gaussian"
    fraction: Annotated[float, Interval(gt=0, lt=1)] = Field(description="share of the train images; 0.02 is usual")
    sigma: Annotated[float, Gt(0), Le(1)] = Field(
        0.1, description="standard deviation of the noise, in ranges of a pixel"
    )

    @property
    def label(self) -> str:
        """What reports call the request."""
        return f"random {percent(self.fraction)} with noise {self.sigma:g}"

    @property
    def plants(self) -> Planting:
        """Noise."""
        return "noise"

    def asked(self, data: ImageData, random: torch.Generator) -> Asked:
        """Draw the share; duplicates are drawn together, so it can end short by less than a group of duplicates."""
        drawn_M = draw(torch.arange(len(data.train)), self.fraction, data.duplicate_of_N, random)
        note = f"{self.label}: wherever a model is trained on them, {len(drawn_M):,} images have noise of their own"
        return Asked(drawn_M, (note,))

    def planted(self, data: ImageData, forget_F: Tensor, random: torch.Generator) -> ImageData:
        """Add the noise, rounded and clipped to the values of a pixel."""
        images_FCHW = data.train.images_NCHW[forget_F]
        noise_FCHW = self.sigma * torch.randn(images_FCHW.shape, generator=random)
        noisy_FCHW = (images_FCHW + 255 * noise_FCHW).round().clamp(0, 255).to(torch.uint8)
        changed_NCHW = data.train.images_NCHW.index_copy(0, forget_F, noisy_FCHW)
        train = replace(data.train, images_NCHW=changed_NCHW, mapped=None)
        before = Planted(data.train.labels_N[forget_F], images_FCHW, noise_FCHW)
        return with_planted(data, train, forget_F, before)
