"""Perturbed images: whether a model recognises forgotten images with a little noise better than unseen ones."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Annotated, ClassVar, Final, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import Field
from torch import Tensor

from unlearning.audits._accuracy import matched_share
from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, Statistic
from unlearning.images import Images
from unlearning.metrics import Group, Value
from unlearning.seeds import generator

_AT_ONCE: Final = 256
"""Images whose noise is held at a time."""


class Perturbed(Audit):
    """Accuracy on D_f with Gaussian noise, and on unseen images with as much of it.

    A model that was only made to fail at the forgotten images themselves still recognises their neighbours. Unseen
    images are those of the split of the membership attack's non-members, in D_f's mix of classes.

    Source: Hsu et al., "The unseen threat: residual knowledge in machine unlearning under perturbed samples", NeurIPS
    2025 (arXiv 2601.22359), which compares with a retrained model: here that is the row of the oracle.
    """

    name: Literal["perturbed"] = "perturbed"
    title: ClassVar[str] = "forgotten images with noise"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Hsu et al., The unseen threat: residual knowledge under perturbed samples, NeurIPS 2025"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "accuracy": Statistic("accuracy with noise, on unseen images in the forget set's mix of classes", test=None),
        "advantage": Statistic("accuracy with noise on the forget set, minus that on unseen images", test="mean"),
    }
    looks_at: ClassVar[LooksAt] = "representations"
    needs_network: ClassVar[bool] = True
    needs_oracle: ClassVar[bool] = False
    sigma: Annotated[float, Gt(0), Field(description="standard deviation of the noise, in ranges of a pixel")] = 0.03
    draws: Annotated[int, Ge(1), Field(description="draws of noise over which accuracies are averaged")] = 4

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Average over draws of the noise."""
        audited, unseen = evidence.audited, evidence.audited.nonmembers
        labels_F, labels_N = audited.of("forget").labels_N, audited.of(unseen).labels_N
        on_forget = fmean(float(right_F.double().mean()) for right_F in self._right(evidence, "forget"))
        on_unseen = fmean(matched_share(right_N, labels_N, labels_F) for right_N in self._right(evidence, unseen))
        yield "accuracy", Value("forget", on_forget, len(labels_F))
        yield "accuracy", Value(unseen, on_unseen, len(labels_N))
        yield "advantage", Value("forget", on_forget - on_unseen, len(labels_F) + len(labels_N))

    def _right(self, evidence: Evidence, group: Group) -> Iterator[Tensor]:
        engine, images_NCHW = evidence.networks.audited.restored(), evidence.images(group)
        for draw in range(self.draws):
            noisy_NCHW = with_noise(images_NCHW, self.sigma, generator(evidence.seed, "noise", group, draw))
            yield engine.predict(noisy_NCHW).argmax(1) == evidence.audited.of(group).labels_N


def with_noise(images_NCHW: Images, sigma: float, random: torch.Generator) -> Tensor:
    """Return images with Gaussian noise in each pixel and channel, rounded and cut to 0 ... 255, as images are kept.

    Args:
        images_NCHW: uint8, on any device; the noise is drawn on the CPU.
        sigma: standard deviation; 1 is 255.
    """
    noisy = []
    for images_BCHW in images_NCHW.split(_AT_ONCE):
        noise_BCHW = 255 * sigma * torch.randn(images_BCHW.shape, generator=random)
        noisy.append((images_BCHW + noise_BCHW.to(images_BCHW.device)).round().clamp(0, 255).to(torch.uint8))
    return torch.cat(noisy)
