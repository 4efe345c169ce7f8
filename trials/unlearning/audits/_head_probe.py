"""Head probe: a new last layer, fitted on the frozen features of few images, asks what the features still know."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt, Le
from pydantic import Field
from torch import Tensor

from unlearning.audits._accuracy import matched_share
from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, Statistic
from unlearning.audits._logistic import LinearProbe, fit_probe
from unlearning.metrics import Value
from unlearning.seeds import generator


class HeadProbe(Audit):
    """Fit a linear head on the features of a small share of D_r, and of D_r with D_f; compare D_f with unseen images.

    A method that only changes the last layer passes audits of outputs and fails this one. The first head never sees a
    forgotten image, so it cannot find a class that is forgotten as a whole; the second is the literature's.

    Source: Jeon et al., "An information theoretic evaluation metric for strong unlearning" (AAAI 2026, arXiv
    2405.17878), where the head is retrained on 2 % of the data.
    """

    name: Literal["head_probe"] = "head_probe"
    title: ClassVar[str] = "linear probe of frozen features"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Jeon et al., An information theoretic evaluation metric for strong unlearning, AAAI 2026"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "retain_accuracy": Statistic(
            "accuracy on the forget set of a head that is fitted on some of the retain set", test=None
        ),
        "retain_advantage": Statistic(
            "the same minus that on unseen images in the forget set's mix of classes", test="mean"
        ),
        "both_accuracy": Statistic(
            "accuracy on the rest of the forget set of a head that is fitted on some of retain and forget set",
            test=None,
        ),
        "both_advantage": Statistic(
            "the same minus that on unseen images in the forget set's mix of classes", test="mean"
        ),
    }
    looks_at: ClassVar[LooksAt] = "representations"
    needs_network: ClassVar[bool] = True
    needs_oracle: ClassVar[bool] = False
    share: Annotated[
        float, Gt(0), Le(0.5), Field(description="share of each class that the head is fitted on, one image at least")
    ] = 0.02
    penalty: Annotated[float, Gt(0), Field(description="penalty / 2 x |weights|^2 is added to the loss")] = 1.0

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Fit both heads on features that are computed once."""
        audited, network = evidence.audited, evidence.networks.audited
        labels_R, labels_F = audited.of("retain").labels_N, audited.of("forget").labels_N
        kept_R = drawn_by_class(labels_R, self.share, generator(evidence.seed, "retain"))
        kept_F = drawn_by_class(labels_F, self.share, generator(evidence.seed, "forget"))
        features_MD = network.features(evidence.images("retain")[kept_R.to(network.engine.device)])
        features_FD = network.features(evidence.images("forget"))
        features_ND = network.features(evidence.images(audited.nonmembers))
        unseen = features_ND, audited.of(audited.nonmembers).labels_N

        probe = fit_probe(features_MD, labels_R[kept_R], self.penalty)
        yield from _compared("retain", probe, (features_FD, labels_F), unseen)
        if kept_F.all():
            return
        fitted, labels = torch.cat([features_MD, features_FD[kept_F]]), torch.cat([labels_R[kept_R], labels_F[kept_F]])
        probe = fit_probe(fitted, labels, self.penalty)
        yield from _compared("both", probe, (features_FD[~kept_F], labels_F[~kept_F]), unseen)


def drawn_by_class(labels_N: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Draw a share of the images of each class, at least one: bool, (N,)."""
    drawn_N = torch.zeros(len(labels_N), dtype=torch.bool)
    for index in labels_N.unique():
        own_M = (labels_N == index).nonzero().flatten()
        drawn_N[own_M[torch.randperm(len(own_M), generator=random)[: max(1, round(share * len(own_M)))]]] = True
    return drawn_N


def _compared(
    name: str, probe: LinearProbe, forgotten: tuple[Tensor, Tensor], unseen: tuple[Tensor, Tensor]
) -> Iterator[Finding]:
    labels_F, labels_N = forgotten[1], unseen[1]
    right_F, right_N = probe.classify(forgotten[0]) == labels_F, probe.classify(unseen[0]) == labels_N
    accuracy = float(right_F.double().mean())
    advantage = accuracy - matched_share(right_N, labels_N, labels_F)
    yield f"{name}_accuracy", Value("forget", accuracy, len(labels_F))
    yield f"{name}_advantage", Value("forget", advantage, len(labels_F) + len(labels_N))
