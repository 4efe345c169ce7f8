"""The values of the clinical audit, each from one model's or two models' outputs on the same test images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Final, Self

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearning.audits._base import Finding
from unlearning.clinical import (
    ImageSampling,
    Interval,
    PairedCounts,
    Proportion,
    brier_score,
    by_text,
    class_placements,
    fit_temperature,
    log_loss,
    log_odds,
    macro_area,
    normalised_cost,
    thirds,
)
from unlearning.metrics import Predictions, Value
from unlearning.roc import Placements

COST_RATIOS: Final = (1, 5, 10, 20, 50)
"""What missing a critical image costs, in false alarms."""

FEWEST_OF_GROUP: Final = 10
"""Images that a group must have to be compared with others: the smallest share would else be that of a tiny group."""


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

    @cached_property
    def class_placements(self) -> list[Placements | None]:
        """What each image adds to the area of each class against the rest; None without an image on either side."""
        scores_NK = torch.stack([log_odds(self.logits_NK, [k]) for k in self.classes], dim=1)
        return class_placements(scores_NK, self.labels_N)

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
    def placements(self) -> Placements | None:
        """What each image adds to how well the odds separate the group from the rest; None without an image of one."""
        positives_P, negatives_M = self.odds_N[self.positive_N], self.odds_N[~self.positive_N]
        return Placements.of(positives_P, negatives_M) if len(positives_P) and len(negatives_M) else None


def errors(test: Outputs, sampling: ImageSampling) -> Iterator[Finding]:
    """Yield sensitivity and specificity of each class by the largest logit, and the smallest sensitivity."""
    found: list[Proportion] = []
    for k in test.classes:
        positive_N, called_N = test.labels_N == k, test.decided == k
        yield from rates("sensitivity", "specificity", called_N, positive_N, sampling, class_index=k)
        if positive_N.any():
            found.append(Proportion(int((called_N & positive_N).sum()), int(positive_N.sum())))
    worst = min(found, key=lambda one: one.value)
    yield "worst_class_sensitivity", Value("test", worst.value, worst.of)


def rates(
    sensitivity: str,
    specificity: str,
    called_N: Tensor,
    positive_N: Tensor,
    sampling: ImageSampling,
    class_index: int | None = None,
) -> Iterator[Finding]:
    """Yield sensitivity and specificity of calls, under these names; without images a rate has no value."""
    for name, right_N, of_N in ((sensitivity, called_N, positive_N), (specificity, ~called_N, ~positive_N)):
        if of_N.any():
            rate = Proportion(int((right_N & of_N).sum()), int(of_N.sum()))
            yield name, _value(rate.value, rate.of, sampling.of_share(right_N, of_N), class_index)


def areas(test: Outputs, compared: Sequence[Outputs], sampling: ImageSampling) -> Iterator[Finding]:
    """Yield the area of all classes and of each against the rest, and their differences to the mean of others'."""
    found, n = {"auroc": test.class_placements}, len(test)
    if compared:
        others = zip(*(one.class_placements for one in compared), strict=True)
        found["auroc_difference"] = list(map(_minus_mean, test.class_placements, others))
    positive_KN = torch.stack([test.labels_N == k for k in test.classes])
    for name, placements_K in found.items():
        known = [one for one in placements_K if one]
        if mean := macro_area(placements_K, test.labels_N):
            yield name, _value(mean.value, n, sampling.of_area(mean, known, positive_KN))
        for k, of_class in enumerate(placements_K):
            if of_class:
                area = of_class.area
                yield name, _value(area.value, n, sampling.of_area(area, [of_class], positive_KN[[k]]), k)


def critical_area(test: Side, compared: Sequence[Side], sampling: ImageSampling) -> Iterator[Finding]:
    """Yield the area of the critical classes against the rest, and its difference to the mean of others'."""
    own = test.placements
    if own is None:
        return
    found = {"critical_auroc": own, "critical_auroc_difference": _minus_mean(own, [one.placements for one in compared])}
    for name, placements in found.items():
        if placements:
            area, n = placements.area, len(test.positive_N)
            yield name, _value(area.value, n, sampling.of_area(area, [placements], test.positive_N[None]))


def _minus_mean(own: Placements | None, others: Sequence[Placements | None]) -> Placements | None:
    """Take the difference to the mean of others; None where there are none, or no image on one side."""
    known = [one for one in others if one is not None]
    return own.minus_mean(known) if own and known else None


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


def worst_group(
    kind: str, right_N: Tensor, of_N: Tensor, groups_N: Sequence[str] | None, sampling: ImageSampling
) -> Iterator[Finding]:
    """Yield the smallest share of some images that are right among groups, and the largest minus the smallest.

    Args:
        kind: what the names of the statistics begin with.
        groups_N: the group that each image is of; those of unknown and of small groups are left out. None for none.
    """
    if groups_N is None:
        return
    groups = by_text(groups_N, of_N, FEWEST_OF_GROUP)
    if len(groups) < 2:
        return
    shares = {name: Proportion(int((right_N & group_N).sum()), int(group_N.sum())) for name, group_N in groups.items()}
    worst = min(shares, key=lambda name: shares[name].value)
    lowest, of = shares[worst].value, shares[worst].of
    yield f"{kind}worst_group_sensitivity", _value(lowest, of, sampling.of_share(right_N, groups[worst]))
    highest = max(one.value for one in shares.values())
    yield f"{kind}group_gap", Value("test", highest - lowest, sum(one.of for one in shares.values()))


def costs(test: Side) -> Iterator[Finding]:
    """Yield the cost of deciding for the critical classes at each ratio."""
    for ratio in COST_RATIOS:
        if (cost := normalised_cost(test.odds_N, test.positive_N, ratio)) is not None:
            yield f"cost_{ratio}", Value("test", cost, len(test.odds_N))


def differences_by_class(
    test: Outputs, compared: Sequence[Outputs], margin: float, sampling: ImageSampling
) -> Iterator[Finding]:
    """Yield the difference of each class's sensitivity to that of others, the mean over them, and what it shows."""
    if not compared:
        return
    shown: list[list[bool]] = []
    for k in test.classes:
        of_class_N = test.labels_N == k
        if of_class_N.any():
            pairs = [Pair.of(test.right, other.right, of_class_N, sampling) for other in compared]
            yield from difference("sensitivity_difference", "noninferior", pairs, margin, class_index=k)
            shown.append([pair.is_shown(margin) for pair in pairs])
    of_all = [all(of_class) for of_class in zip(*shown, strict=True)]
    yield "noninferior", Value("test", fmean(of_all), len(test))


@dataclass(frozen=True)
class Pair:
    """The difference of two models' shares of hits among the same images.

    Attributes:
        interval: None where there are too few patients for one.
    """

    counts: PairedCounts
    interval: Interval | None

    @classmethod
    def of(cls, first_N: Tensor, second_N: Tensor, of_N: Tensor, sampling: ImageSampling) -> Self:
        """Compare two models' hits among some images, at least one; all bool, (N,)."""
        counts = PairedCounts.count(first_N[of_N], second_N[of_N])
        return cls(counts, sampling.of_difference(first_N, second_N, of_N))

    def is_shown(self, margin: float) -> bool:
        """Return whether the images show that the first loses less than the margin."""
        return self.interval is not None and self.interval[0] > -margin


def difference(
    name: str, shown: str, pairs: Sequence[Pair], margin: float, class_index: int | None = None
) -> Iterator[Finding]:
    """Yield a difference of sensitivities, the mean over the pairs of models, and the share of pairs with a loss
    that the images show to be below the margin; the interval is over images, and so of a single pair alone."""
    if not pairs:
        return
    interval = pairs[0].interval if len(pairs) == 1 else None
    count = pairs[0].counts.of
    yield name, _value(fmean(pair.counts.value for pair in pairs), count, interval, class_index)
    yield shown, Value("test", fmean(pair.is_shown(margin) for pair in pairs), count, class_index)


def changed(
    kind: str,
    differ: Callable[[Tensor, Tensor], Tensor],
    own_N: Tensor,
    compared: Sequence[Tensor],
    others: Sequence[Tensor],
    paired_N: Tensor | None,
    sampling: ImageSampling,
) -> Iterator[Finding]:
    """Yield how many of 1,000 images a model decides otherwise than oracles do, and what retraining explains of it.

    A model and its paired oracle share initial weights and order, two oracles do not. So what is beyond the churn is
    taken between unpaired models: against the other oracles, minus what the paired oracle has against them.

    Args:
        kind: what the names of the statistics begin with.
        differ: which images differ, from the decisions of a model and of an oracle.
        own_N: decisions of the audited model.
        compared: of the models that it is compared with.
        others: of the other oracles.
        paired_N: of the paired oracle.
    """
    n = len(own_N)
    if compared:
        yield f"{kind}flips", _per_1000([differ(own_N, one_N) for one_N in compared], sampling)
    if others and paired_N is not None:
        churn = _per_1000([differ(paired_N, one_N) for one_N in others], sampling)
        against = _per_1000([differ(own_N, one_N) for one_N in others], sampling)
        yield f"{kind}churn", churn
        yield f"{kind}flips_beyond_churn", Value("test", against.value - churn.value, n)


def _per_1000(differing: Sequence[Tensor], sampling: ImageSampling) -> Value:
    """Make the mean count of 1,000 images, with an interval over images where it is of one pair alone."""
    n, everything_N = len(differing[0]), torch.ones_like(differing[0])
    value = 1000 * fmean(int(differs_N.sum()) for differs_N in differing) / n
    ends = sampling.of_share(differing[0], everything_N) if len(differing) == 1 else None
    return _value(value, n, ends and (1000 * ends[0], 1000 * ends[1]))


def _value(value: float, n: int, interval: Interval | None, class_index: int | None = None) -> Value:
    low, high = interval or (None, None)
    return Value("test", value, n, class_index, low, high)
