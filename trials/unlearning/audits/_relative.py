"""The relative test: is the model nearer to models that were trained on the forget set than to models that were not?"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from pydantic import Field
from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, Statistic
from unlearning.audits._output_distance import forget_distribution, jensen_shannon
from unlearning.metrics import Value


class RelativeTest(Audit):
    """Mean Jensen-Shannon divergence on D_f to originals and to oracles of other seeds, compared with each other.

    A test of whether unlearning equals retraining rejects even a second retraining, where its seed makes a difference
    to the outputs. This one asks for less: under its hypothesis the model is no nearer to the originals than to the
    oracles. The p-value is the share of the ways to label the models of both pools as originals under which the model
    would be nearer still to those called originals.

    Source: the relative three-sample test of arXiv 2601.19755 (AISTATS 2026), with a divergence of outputs and an exact
    permutation over models in place of its kernel estimate.
    """

    name: Literal["relative"] = "relative"
    title: ClassVar[str] = "nearer to the originals than to the oracles"
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 1
    source: ClassVar[str] = "the relative three-sample test of arXiv 2601.19755; exact permutation over models"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "p": Statistic("one-sided p-value of being nearer to the originals, by permutation", "", "higher", "p-value"),
        "share": Statistic(
            "distance to the oracles, of the sum of the distances to both; above 0.5: nearer to the originals",
            test=None,
        ),
    }
    models: Annotated[
        int, Ge(3), Le(8), Field(description="oracles and originals of other training seeds, so many of each")
    ] = 6

    @property
    def pools(self) -> dict[str, ModelPool]:
        """Oracles and originals."""
        return {"oracles": ModelPool("retain", self.models), "originals": ModelPool("train", self.models)}

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Compare the distances."""
        own_FK = forget_distribution(evidence.audited)
        distance_M = torch.tensor(
            [
                float(jensen_shannon(own_FK, forget_distribution(model)).mean())
                for name in ("originals", "oracles")
                for model in evidence.pools[name]
            ],
            dtype=torch.float64,
        )
        yield "p", Value("forget", nearer_p(distance_M), len(own_FK))
        to_originals, to_oracles = (float(part_M.mean()) for part_M in distance_M.chunk(2))
        both = to_originals + to_oracles
        yield "share", Value("forget", to_oracles / both if both else 0.5, len(own_FK))


def nearer_p(distance_M: Tensor) -> float:
    """Return the share of the choices of half of the models whose distances sum to no more than the first half's."""
    half = len(distance_M) // 2
    sums_P = torch.tensor(list(combinations(distance_M.tolist(), half)), dtype=torch.float64).sum(1)
    observed = float(distance_M[:half].sum())
    return float((sums_P <= observed * (1 + 1e-12)).double().mean())
