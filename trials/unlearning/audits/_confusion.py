"""Interclass confusion: whether a model still takes for each other the classes whose labels were swapped in D_f."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, Literal

import torch
from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, Statistic
from unlearning.data import Planting
from unlearning.metrics import Group, Predictions, Value

_WHERE: Final[Mapping[Group, str]] = {
    "forget": "the forget set, by the labels before the swap",
    "retain": "the retain set",
    "test": "test",
}


class InterclassConfusion(Audit):
    """Share of the images of two classes that are called the other one, where a request swapped their labels in D_f.

    An original has learnt to confuse the two classes, an oracle has not. On the retain set and test nobody asked for
    anything to be forgotten, so confusion there cannot be removed by answering otherwise on the images of the request.

    Source: Goel et al., "Towards adversarial evaluations for inexact machine unlearning" (arXiv 2201.06640): the
    interclass confusion test, whose count of both cells of the confusion matrix is divided by the images of the two.
    """

    name: Literal["confusion"] = "confusion"
    title: ClassVar[str] = "interclass confusion"
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Goel et al., Towards adversarial evaluations for inexact machine unlearning, 2022"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        group: Statistic(
            f"share of the images of the two classes that are called the other one, on {where}",
            test="mean" if group == "forget" else "difference",
        )
        for group, where in _WHERE.items()
    }
    needs_planted: ClassVar[Planting | None] = "labels"
    needs_oracle: ClassVar[bool] = False

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Count both cells of the confusion matrix; nothing where the request swapped no labels."""
        if evidence.planted is None:
            return
        given_F, before_F = evidence.audited.of("forget").labels_N.cpu(), evidence.planted.labels_F
        swapped_F = given_F != before_F
        if not swapped_F.any():
            return
        first, second = _pair(before_F[swapped_F], given_F[swapped_F])
        for group in _WHERE:
            predictions = evidence.audited.of(group)
            labels_N = before_F if group == "forget" else predictions.labels_N.cpu()
            confused = confusions(predictions, labels_N, first, second)
            count = int(((labels_N == first) | (labels_N == second)).sum())
            if count:
                yield group, Value(group, confused / count, count)


def confusions(predictions: Predictions, labels_N: Tensor, first: int, second: int) -> int:
    """Count the images of either class that are called the other one: two cells of the confusion matrix.

    Args:
        labels_N: int64, (N,), on the CPU: the classes that the images are of.
    """
    called_N = predictions.logits_NK.argmax(1).cpu()
    return int(((labels_N == first) & (called_N == second) | (labels_N == second) & (called_N == first)).sum())


def _pair(before_M: Tensor, given_M: Tensor) -> tuple[int, int]:
    """Return the two classes whose labels were swapped.

    Raises:
        ValueError: they are not two.
    """
    classes = torch.cat([before_M, given_M]).unique().tolist()
    if len(classes) != 2:
        raise ValueError(f"wanted labels of two classes that were swapped, got changes between the classes {classes}")
    first, second = classes
    return first, second
