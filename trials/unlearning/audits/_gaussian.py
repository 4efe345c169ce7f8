"""Gaussian unlearning score: whether a model still leans towards the noise that forgotten images were trained with."""

from collections.abc import Iterator, Mapping
from math import erfc, sqrt
from typing import ClassVar, Literal

from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, Statistic
from unlearning.data import Planting
from unlearning.metrics import Value


class GaussianScore(Audit):
    """Inner product of a canary's noise with the gradient of the loss at the image without it, scaled to unit variance.

    With noise xi of standard deviation s an image has I = <gradient, xi> / (s |gradient|). The gradient of a model that
    never saw the noise does not depend on it, so I is standard normal, and the mean of n images times sqrt(n) is as
    well, whatever the network. A model that was trained on the image with its noise has a smaller loss there, so I is
    negative. One model is enough, and no other is needed. Where the loss has no gradient, an image has no I.

    Source: "Machine unlearning fails to remove data poisoning attacks" (ICLR 2025, arXiv 2406.17216).
    """

    name: Literal["gaussian"] = "gaussian"
    title: ClassVar[str] = "Gaussian unlearning score"
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Machine unlearning fails to remove data poisoning attacks, ICLR 2025 (arXiv 2406.17216)"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "mean": Statistic("mean score of the canaries, 0 for a model that never saw their noise", "", test="mean"),
        "z": Statistic("the same times the root of their number, standard normal for such a model", "", test=None),
        "p": Statistic("two-sided p-value of that", "", "higher", "p-value"),
    }
    looks_at: ClassVar[LooksAt] = "representations"
    needs_network: ClassVar[bool] = True
    needs_planted: ClassVar[Planting | None] = "noise"
    needs_oracle: ClassVar[bool] = False

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Score the canaries; nothing where the request planted no noise."""
        planted = evidence.planted
        if planted is None or planted.images_FCHW is None or planted.noise_FCHW is None:
            return
        gradients_FCHW = evidence.networks.audited.input_gradients(planted.images_FCHW, planted.labels_F)
        scores_M = noise_scores(gradients_FCHW, planted.noise_FCHW)
        if not len(scores_M):
            return
        mean, z = float(scores_M.mean()), float(scores_M.mean()) * sqrt(len(scores_M))
        yield "mean", Value("forget", mean, len(scores_M))
        yield "z", Value("forget", z, len(scores_M))
        yield "p", Value("forget", erfc(abs(z) / sqrt(2)), len(scores_M))


def noise_scores(gradients_FCHW: Tensor, noise_FCHW: Tensor) -> Tensor:
    """Return the score of each image whose gradient is not zero: float64, (M,).

    Args:
        noise_FCHW: drawn with one standard deviation, which is estimated from all of it.
    """
    gradients_FD, noise_FD = gradients_FCHW.flatten(1).double(), noise_FCHW.flatten(1).double()
    length_F = gradients_FD.norm(dim=1)
    some_F = length_F > 0
    directions_MD = gradients_FD[some_F] / length_F[some_F, None]
    sigma = noise_FD.square().mean().sqrt()
    scores_M: Tensor = (directions_MD * noise_FD[some_F]).sum(1) / sigma
    return scores_M
