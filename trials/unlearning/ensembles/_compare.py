"""All that is said of two groups of models by the images that were to be forgotten."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from unlearning.ensembles._array import Array
from unlearning.ensembles._forgetting_quality import forgetting_quality
from unlearning.ensembles._klom import klom
from unlearning.ensembles._likelihood_ratio import held_out_ratios
from unlearning.ensembles._margin import margins

FEWEST: Final = 3
"""Models of a kind: with one held out, two are left to have a variance."""


@dataclass(frozen=True)
class Comparison:
    """How unlike oracles some models are.

    Attributes:
        klom, klom_p95: mean and 95th percentile over the images, in nats.
        lira_auc: chance that a model of the first group has the higher ratio than an oracle on the same image, each
            held out of the Gaussians, ties counted as one half. Among few oracles it is below one half.
        quality: forgetting quality; higher is better.
    """

    klom: float
    klom_p95: float
    lira_auc: float
    quality: float


def compare(confidence_NS: Array, oracles_MS: Array) -> Comparison:
    """Compare models with oracles by the probability of the true class of each image.

    Raises:
        ValueError: there are fewer than `FEWEST` of either, or the images are not the same.
    """
    if min(len(confidence_NS), len(oracles_MS)) < FEWEST or confidence_NS.shape[1:] != oracles_MS.shape[1:]:
        raise ValueError(
            f"wanted {FEWEST} models of each kind and the same images, got {confidence_NS.shape} and {oracles_MS.shape}"
        )
    ours_NS, theirs_MS = margins(confidence_NS), margins(oracles_MS)
    divergence_S = klom(ours_NS, theirs_MS)
    ratios_NS, others_MS = held_out_ratios(ours_NS, theirs_MS)
    higher_NMS = ratios_NS[:, None] - others_MS[None]
    return Comparison(
        float(divergence_S.mean()),
        float(np.percentile(divergence_S, 95)),
        float(((np.sign(higher_NMS) + 1) / 2).mean()),
        forgetting_quality(ours_NS, theirs_MS),
    )
