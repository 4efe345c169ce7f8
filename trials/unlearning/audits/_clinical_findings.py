"""The values of the clinical audit, each from one model's or two models' outputs on the same test images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Final, Self

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearning.audits._base import Finding
from unlearning.clinical import (
    PairedCounts,
    Proportion,
    brier_score,
    fit_temperature,
    flips,
    log_loss,
    log_odds,
    macro_area,
    missed,
    normalised_cost,
    thirds,
)
from unlearning.metrics import Predictions, Value
from unlearning.metrics.roc import Area, area_under_curve

COST_RATIOS: Final = (1, 5, 10, 20, 50)
"""What missing a critical image costs, in false alarms."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """A model's outputs on some images, on the CPU.

    Attributes:
        logits_NK: float64.
        labels_N: int64.
    """

    logits_NK: Tensor
    labels_N: Tensor

    @classmethod
    def of(cls, predictions: Predictions) -> Self:
        """Take them from predictions on any device."""
        return cls(predictions.logits_NK.detach().cpu().double(), predictions.labels_N.cpu())

    @cached_property
    def decided(self) -> Tensor:
        """The class with the largest logit, int64, (N,)."""
        return self.logits_NK.argmax(1)

    @property
    def right(self) -> Tensor:
        """Which images are recognised, bool, (N,)."""
        return self.decided == self.labels_N

    @property
    def classes(self) -> range:
        """The positions of the classes."""
        return range(self.logits_NK.shape[1])

    @property
    def losses(self) -> Tensor:
        """The cross-entropy of each image, in nats, (N,)."""
        return cross_entropy(self.logits_NK, self.labels_N, reduction="none")

    def side(self, classes: Sequence[int]) -> "Side":
        """Hold a group of classes against the rest."""
        return Side(log_odds(self.logits_NK, classes), torch.isin(self.labels_N, torch.tensor(list(classes))))

    def __len__(self) -> int:
        return len(self.labels_N)


@dataclass(frozen=True, eq=False)
class Side:
    """A group of classes against the rest.

    Attributes:
        odds_N: log-odds of the group, float64.
        positive_N: whether an image is of the group, bool.
    """

    odds_N: Tensor
    positive_N: Tensor

    @property
    def area(self) -> Area | None:
        """How well the odds separate the group from the rest; None where one of them has no image."""
        positives_P, negatives_M = self.odds_N[self.positive_N], self.odds_N[~self.positive_N]
        return area_under_curve(positives_P, negatives_M) if len(positives_P) and len(negatives_M) else None


Pair = tuple[Outputs, Outputs]
"""A model that is compared with, and one that is compared, on the same images."""

Calls = tuple[Tensor, Tensor]
"""Which images each of such two models calls critical, bool, (N,)."""


def errors(test: Outputs) -> Iterator[Finding]:
    """Yield sensitivity and specificity of each class by the largest logit, and the smallest sensitivity."""
    found: list[Proportion] = []
    for k in test.classes:
        positive_N, called_N = test.labels_N == k, test.decided == k
        yield from rates("sensitivity", "specificity", called_N, positive_N, class_index=k)
        if positive_N.any():
            found.append(Proportion(int((called_N & positive_N).sum()), int(positive_N.sum())))
    worst = min(found, key=lambda one: one.value)
    yield "worst_class_sensitivity", Value("test", worst.value, worst.of)


def rates(
    sensitivity: str, specificity: str, called_N: Tensor, positive_N: Tensor, class_index: int | None = None
) -> Iterator[Finding]:
    """Yield sensitivity and specificity of calls, under these names; without images a rate has no value."""
    for name, right_N, of_N in ((sensitivity, called_N, positive_N), (specificity, ~called_N, ~positive_N)):
        if of_N.any():
            rate = Proportion(int((right_N & of_N).sum()), int(of_N.sum()))
            low, high = rate.interval
            yield name, Value("test", rate.value, rate.of, class_index, low, high)


def areas(test: Outputs) -> Iterator[Finding]:
    """Yield the area of all classes and of each against the rest."""
    scores_NK = torch.stack([log_odds(test.logits_NK, [k]) for k in test.classes], dim=1)
    if mean := macro_area(scores_NK, test.labels_N):
        yield "auroc", _of_area(mean, len(test))
    for k in test.classes:
        if area := Side(scores_NK[:, k], test.labels_N == k).area:
            yield "auroc", _of_area(area, len(test), class_index=k)


def critical_area(test: Side) -> Iterator[Finding]:
    """Yield the area of the critical classes against the rest."""
    if area := test.area:
        yield "critical_auroc", _of_area(area, len(test.odds_N))


def probabilities(val: Outputs, test: Outputs, original_val: Outputs) -> Iterator[Finding]:
    """Yield how far the probabilities can be believed, and whether that changed against the original."""
    loss, n = log_loss(test.logits_NK, test.labels_N), len(test)
    yield "log_loss", Value("test", loss, n)
    yield "brier", Value("test", brier_score(test.logits_NK, test.labels_N), n)
    temperature = fit_temperature(val.logits_NK, val.labels_N)
    if temperature is None:
        return
    yield "temperature", Value("val", temperature, len(val))
    if original := fit_temperature(original_val.logits_NK, original_val.labels_N):
        yield "temperature_ratio", Value("val", temperature / original, len(val))
    yield "calibration_loss", Value("test", loss - log_loss(test.logits_NK / temperature, test.labels_N), n)


def worst_third(test: Outputs, loss_N: Tensor) -> Iterator[Finding]:
    """Yield the smallest share recognised among thirds of the images by another loss."""
    found = [test.right[third_M] for third_M in thirds(loss_N) if len(third_M)]
    worst = min((Proportion(int(right_M.sum()), len(right_M)) for right_M in found), key=lambda one: one.value)
    yield "worst_third_sensitivity", Value("test", worst.value, worst.of)


def costs(test: Side) -> Iterator[Finding]:
    """Yield the cost of deciding for the critical classes at each ratio."""
    for ratio in COST_RATIOS:
        if (cost := normalised_cost(test.odds_N, test.positive_N, ratio)) is not None:
            yield f"cost_{ratio}", Value("test", cost, len(test.odds_N))


def differences_by_class(compared: Sequence[Pair], margin: float) -> Iterator[Finding]:
    """Yield the difference of each class's sensitivity to that of others, the mean over them, and what it shows."""
    if not compared:
        return
    test, shown = compared[0][1], list[list[bool]]()
    for k in test.classes:
        of_class_N = test.labels_N == k
        if not of_class_N.any():
            continue
        pairs = [PairedCounts.count(own.right[of_class_N], other.right[of_class_N]) for other, own in compared]
        yield from difference("sensitivity_difference", "noninferior", pairs, margin, class_index=k)
        shown.append([_is_shown(pair, margin) for pair in pairs])
    of_all = [all(of_class) for of_class in zip(*shown, strict=True)]
    yield "noninferior", Value("test", fmean(of_all), len(test))


def difference(
    name: str, shown: str, pairs: Sequence[PairedCounts], margin: float, class_index: int | None = None
) -> Iterator[Finding]:
    """Yield a difference of sensitivities, the mean over the pairs of models, and the share of pairs with a loss
    that the images show to be below the margin; the interval is over images, and so of a single pair alone."""
    if not pairs:
        return
    low, high = pairs[0].interval if len(pairs) == 1 else (None, None)
    count = pairs[0].of
    yield name, Value("test", fmean(pair.value for pair in pairs), count, class_index, low, high)
    yield shown, Value("test", fmean(_is_shown(pair, margin) for pair in pairs), count, class_index)


def changed(name: str, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Yield how many of 1,000 images the two of a pair decide differently, the mean over the pairs."""
    if pairs:
        counts = [flips(first.decided, second.decided) for first, second in pairs]
        yield name, _per_1000(counts, len(pairs[0][0]))


def critical_misses(compared: Sequence[Calls], churning: Sequence[Calls]) -> Iterator[Finding]:
    """Yield how many of 1,000 images the first of a pair calls critical and the second does not, means over pairs."""
    of_model, of_oracles = (
        _per_1000([missed(called_N, by_first_N) for by_first_N, called_N in pairs], len(pairs[0][0])) if pairs else None
        for pairs in (compared, churning)
    )
    if of_model:
        yield "critical_flips", of_model
    if of_oracles:
        yield "critical_churn", of_oracles
    if of_model and of_oracles:
        yield "critical_flips_beyond_churn", Value("test", of_model.value - of_oracles.value, of_model.n)


def _per_1000(counts: Sequence[int], n: int) -> Value:
    """Make the mean count of 1,000 images, with an interval over images where it is of one pair alone."""
    value = 1000 * fmean(counts) / n
    if len(counts) > 1:
        return Value("test", value, n)
    low, high = Proportion(counts[0], n).interval
    return Value("test", value, n, low=1000 * low, high=1000 * high)


def _is_shown(pair: PairedCounts, margin: float) -> bool:
    return pair.interval[0] > -margin


def _of_area(area: Area, n: int, class_index: int | None = None) -> Value:
    low, high = area.interval or (None, None)
    return Value("test", area.value, n, class_index, low, high)
