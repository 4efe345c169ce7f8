"""CKA: how similar the features of the forget set are to those of models that have never seen it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge
from pydantic import Field
from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, LooksAt, ModelPool, Statistic
from unlearning.metrics import Value


class CKA(Audit):
    """Linear CKA of the penultimate features of D_f with the paired oracle's, and with those of oracles of other seeds.

    Two oracles differ as well, so a similarity means nothing by itself: the row of the oracle has the similarity of two
    oracles, the row of the original that of models that have and have not seen D_f.

    Source: Kornblith et al., "Similarity of neural network representations revisited", ICML 2019 (arXiv 1905.00414),
    section 3; its use alone is warned of by Davari et al. (arXiv 2210.16156).
    """

    name: Literal["cka"] = "cka"
    title: ClassVar[str] = "linear CKA of the forget set's features"
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Kornblith et al., Similarity of neural network representations revisited, ICML 2019"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "paired": Statistic("similarity of the forget set's features to the paired oracle's", "", "higher", None),
        "other": Statistic("mean similarity of these features to those of oracles of other seeds", ""),
    }
    looks_at: ClassVar[LooksAt] = "representations"
    needs_network: ClassVar[bool] = True
    oracles: Annotated[int, Ge(1), Field(description="oracles of other training seeds")] = 1

    @property
    def pools(self) -> dict[str, ModelPool]:
        """The oracles of other seeds."""
        return {"oracles": ModelPool("retain", self.oracles)}

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Compare the features; the oracle's own similarity to itself is 1."""
        networks, images_FCHW = evidence.networks, evidence.images("forget")
        features_FD = networks.audited.features(images_FCHW)
        paired = linear_cka(features_FD, networks.oracle.features(images_FCHW))
        others = [linear_cka(features_FD, one.features(images_FCHW)) for one in networks.pools["oracles"]]
        yield "paired", Value("forget", paired, len(features_FD))
        yield "other", Value("forget", sum(others) / len(others), len(features_FD))


def linear_cka(first_ND: Tensor, second_NE: Tensor) -> float:
    """Return |Y'X|^2 / (|X'X| |Y'Y|), Frobenius norms of centred features X and Y (Kornblith et al., section 3).

    Returns:
        A number in [0, 1], 1 for features that are equal up to rotation, reflection and one scale; nan where all images
        have the same features.
    """
    x_ND, y_NE = first_ND - first_ND.mean(0), second_NE - second_NE.mean(0)
    shared, own, other = y_NE.T @ x_ND, x_ND.T @ x_ND, y_NE.T @ y_NE
    return float(shared.square().sum() / (own.norm() * other.norm()))
