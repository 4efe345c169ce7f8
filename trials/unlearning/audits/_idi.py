"""Information difference index: how much of what an original's layers know of the request is left in the model."""

from collections.abc import Iterator, Mapping, Sequence
from math import log
from statistics import fmean
from typing import Annotated, ClassVar, Final, Literal

import torch
from annotated_types import Ge
from pydantic import Field
from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, ModelPool, Statistic
from unlearning.audits._logistic import fit_probe
from unlearning.audits._network import AuditNetwork
from unlearning.metrics import Value
from unlearning.seeds import generator

LEAST: Final = 0.05
"""Nats by which originals must be above oracles for a share of it, or a test, to mean anything."""


class IDI(Audit):
    """Information of the last layers' features about which of D_f and D_r an image is from, minus that of oracles.

    A method that only changes the last layer leaves the layers before it as they were. In each layer a critic is fitted
    that guesses the set from the features; how well it does on images that it was not fitted to is a lower bound on
    their mutual information (InfoNCE), I. The difference ID is the sum over layers of what I is above the oracles', and
    the index is ID of the model as a share of the originals' ID. Both are of other training seeds than the audited
    model's, so the row of the oracle is oracle against oracle, and that of the original is about 1.

    Of a class, or of images that look unlike others, the layers of an original know more than an oracle's. Of a random
    request they do not, since an original was trained on both sets alike: there is no index then, and no test.

    Source: Jeon et al., "An information theoretic evaluation metric for strong unlearning" (AAAI 2026, arXiv
    2405.17878). Its critics are not public; these are linear in features that are averaged over pixels, and two halves
    of the images are each guessed by the critic of the other.
    """

    name: Literal["idi"] = "idi"
    title: ClassVar[str] = "information difference index"
    version: ClassVar[int] = 2
    source: ClassVar[str] = "Jeon et al., An information theoretic evaluation metric for strong unlearning, AAAI 2026"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "information": Statistic("information of the last layers about the request, summed over them", "nats"),
        "difference": Statistic("what of it is above that of oracles, layer by layer", "nats", "lower", None),
        "index": Statistic("the same as a share of the originals'", "", "lower", None),
    }
    looks_at: ClassVar[LooksAt] = "representations"
    needs_network: ClassVar[bool] = True
    models: Annotated[
        int, Ge(1), Field(description="oracles and originals of other training seeds, so many of each")
    ] = 1
    layers: Annotated[int, Ge(1), Field(description="how many of the last layers are looked into")] = 3
    images: Annotated[int, Ge(2), Field(description="most images of D_f, and of D_r, that critics see")] = 1000

    @property
    def pools(self) -> dict[str, ModelPool]:
        """The oracles and originals of other seeds."""
        return {"oracles": ModelPool("retain", self.models), "originals": ModelPool("train", self.models)}

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Estimate the information of all models on the same images.

        Nothing is found where either set has a single image, and the difference alone, which is not tested, where the
        originals know less than 0.05 nats more of the request than the oracles.
        """
        networks, images_MCHW = evidence.networks, self._drawn(evidence)
        if len(images_MCHW) < 4:
            return
        own_L = self._information(networks.audited, images_MCHW)
        floors_L = _mean([self._information(one, images_MCHW) for one in networks.pools["oracles"]])
        tops = [self._information(one, images_MCHW) for one in networks.pools["originals"]]
        difference = information_difference(own_L, floors_L)
        whole = fmean(information_difference(top_L, floors_L) for top_L in tops)
        yield "difference", Value("forget", difference, len(images_MCHW))
        if know_more(tops, floors_L):
            yield "information", Value("forget", sum(own_L), len(images_MCHW))
            yield "index", Value("forget", difference / whole, len(images_MCHW))

    def _drawn(self, evidence: Evidence) -> Tensor:
        """Draw as many images of D_f as of D_r, one after the other, in random order: uint8, (M, C, H, W)."""
        forget_FCHW, retain_RCHW = evidence.images("forget"), evidence.images("retain")
        size = min(len(forget_FCHW), len(retain_RCHW), self.images)
        random = generator(evidence.seed, "images")
        sides = [
            images_NCHW[torch.randperm(len(images_NCHW), generator=random)[:size].to(images_NCHW.device)]
            for images_NCHW in (forget_FCHW, retain_RCHW)
        ]
        return torch.stack(sides, dim=1).flatten(0, 1)

    def _information(self, network: AuditNetwork, images_MCHW: Tensor) -> list[float]:
        """Return the information of each layer about which set images are from, which alternate."""
        in_retain_M = torch.arange(len(images_MCHW)) % 2
        layers = network.layer_features(images_MCHW, self.layers)
        return [information(features_MD, in_retain_M) for features_MD in layers]


def information(features_MD: Tensor, side_M: Tensor) -> float:
    """Return the InfoNCE estimate of the mutual information of features and one of two equally large sides.

    With equally many of both, the mean of log(exp f(z, y) / mean over all y' of exp f(z, y')) is log 2 minus the
    cross-entropy of the classifier that has the critic's f as logits: a critic is fitted by minimising that. Images are
    taken in pairs of both sides, and each half of the pairs is measured by the critic of the other.

    Args:
        features_MD: float64.
        side_M: int64, 0 and 1 in turn.

    Returns:
        Nats, in [0, log 2]; an estimate below 0 is 0.
    """
    first_M = torch.arange(len(side_M)) // 2 % 2 == 0
    losses = list[Tensor]()
    for fitted_M in (first_M, ~first_M):
        critic = fit_probe(features_MD[fitted_M], side_M[fitted_M])
        log_probabilities_M2 = critic.log_probabilities(features_MD[~fitted_M])
        losses.append(-log_probabilities_M2.gather(1, side_M[~fitted_M][:, None]).squeeze(1))
    return max(0.0, log(2) - float(torch.cat(losses).mean()))


def information_difference(own_L: Sequence[float], oracles_L: Sequence[float]) -> float:
    """Return the sum over layers of what a model's information is above the oracles'."""
    return sum(max(0.0, own - other) for own, other in zip(own_L, oracles_L, strict=True))


def know_more(originals: Sequence[Sequence[float]], oracles_L: Sequence[float]) -> bool:
    """Return whether originals know at least `LEAST` nats more than oracles, over all layers together.

    Layers in which they know less count too: the difference, which leaves these out, is above 0 by chance alone.
    """
    return fmean(map(sum, originals)) - sum(oracles_L) >= LEAST


def _mean(models: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(layer) for layer in zip(*models, strict=True)]
