"""Can an attacker tell from the outputs that D_f was trained on? The membership attack of the SalUn literature.

A support vector classifier learns to tell members (samples of D_r) from non-members (held-out samples) by one feature
of the model's output; the score is the share of D_f that it takes for non-members, "MIA-efficacy" (Jia et al., "Model
sparsity can simplify machine unlearning", NeurIPS 2023; Fan et al., "SalUn", ICLR 2024). The target is the oracle's
score, not one half. Attacks on single samples are audits (`unlearning.audits`).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unlearning.metrics._predictions import Predictions
from unlearning.tasks import task_of

if TYPE_CHECKING:
    from unlearning.metrics._svc import Classifier

Feature = Literal["correctness", "confidence", "entropy", "modified_entropy", "prob"]

AttackClasses = Literal["all", "forgotten"]
"""Classes of members and non-members: all as they come, or drawn in the mix of classes of D_f."""

Array = NDArray[np.float64]

_COST = 3.0
"""``C`` of the support vector classifier in the authors' code; gamma is 1 / (numbers a feature has), "auto"."""

_TIE = 1e-9
"""Decisions this close to zero are ties, which go to the members, as LIBSVM's do where it computes an exact zero."""


def correctness(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """1 where the answer is right, else 0, (N, 1); of several labels the share that is right."""
    return task_of(labels_N).correctness(logits_NK, labels_N)[:, None]


def confidence(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The probability of the true class, (N, 1). The feature that tables call MIA."""
    return task_of(labels_N).confidence(logits_NK, labels_N)[:, None]


def entropy(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The entropy of the prediction in nats, (N, 1)."""
    return task_of(labels_N).entropy(logits_NK)[:, None]


def modified_entropy(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The modified entropy in nats, (N, 1), between 0 and 138.2 (`LabelTask.modified_entropy`)."""
    return task_of(labels_N).modified_entropy(logits_NK, labels_N)[:, None]


def prob(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The probabilities of all classes, (N, K)."""
    return task_of(labels_N).probabilities(logits_NK)


FEATURES: dict[Feature, Callable[[Tensor, Tensor], Tensor]] = {
    "correctness": correctness,
    "confidence": confidence,
    "entropy": entropy,
    "modified_entropy": modified_entropy,
    "prob": prob,
}
"""What an attacker may look at, by name: ``(logits_NK, labels_N) -> (N, D)``."""


def draw_members(
    retain: Predictions, nonmembers: Predictions, random: torch.Generator
) -> tuple[Predictions, Predictions]:
    """Draw as many members from D_r as there are non-members; where D_r is smaller, draw the non-members down to it.

    Args:
        random: a CPU generator. The same state and set sizes give the same samples, so that a model and its oracle are
            attacked with the same ones.

    Returns:
        Members and non-members, equally many.
    """
    size = min(len(retain), len(nonmembers))
    return _draw(retain, size, random), _draw(nonmembers, size, random)


def draw_matched(
    retain: Predictions, nonmembers: Predictions, forget: Predictions, random: torch.Generator
) -> tuple[Predictions, Predictions]:
    """Draw members and non-members in the mix of classes of D_f, so that a class tells the two sides apart nowhere.

    Members can be of the classes only that D_r still has; where it has none of D_f's, they are drawn from all of D_r.

    Args:
        random: as of `draw_members`.

    Returns:
        Members and non-members, equally many.

    Raises:
        ValueError: a class of D_f has no non-members.
    """
    wanted_K, left_K, unseen_K = (torch.tensor(one.count_per_class()) for one in (forget, retain, nonmembers))
    if lacking := ((wanted_K > 0) & (unseen_K == 0)).nonzero().flatten().tolist():
        raise ValueError(f"membership attack: no non-members of the classes {lacking}, which D_f has images of")
    kept_K = wanted_K * (left_K > 0)
    outside = _draw_mix(nonmembers, wanted_K, random)
    inside = _draw_mix(retain, kept_K, random) if kept_K.any() else retain
    return draw_members(inside, outside, random)


@dataclass(frozen=True, eq=False)
class Attack:
    """An attacker that looks at one feature and was fitted to members and non-members."""

    feature: Feature
    _classifier: "Classifier"

    def called_nonmember(self, samples: Predictions) -> Tensor:
        """Return which samples the attacker takes for non-members: bool, (M,), on the CPU."""
        return _decide(self._classifier, _points(self.feature, samples))


def fit_attack(members: Predictions, nonmembers: Predictions, feature: Feature) -> Attack:
    """Fit an attacker to one feature, on the CPU in float64.

    Where members and non-members are not distinguishable at all, everything ties and counts as a member.

    Args:
        members: samples of D_r.
        nonmembers: as many samples that were never trained on.

    Raises:
        ValueError: the numbers of members and non-members differ, or are zero.
    """
    _check_equal(members, nonmembers)
    return Attack(feature, _fit(_points(feature, members), _points(feature, nonmembers)))


def membership_scores(
    members: Predictions, nonmembers: Predictions, forget: Predictions, features: Iterable[Feature] = ("confidence",)
) -> dict[Feature, float]:
    """Return, by feature, the share of D_f that an attacker takes for non-members.

    Args and errors are those of `called_nonmember`.
    """
    called = called_nonmember(members, nonmembers, forget, features)
    return {feature: float(called_M.double().mean()) for feature, called_M in called.items()}


def called_nonmember(
    members: Predictions, nonmembers: Predictions, samples: Predictions, features: Iterable[Feature] = ("confidence",)
) -> dict[Feature, Tensor]:
    """Return, by feature, which samples an attacker takes for non-members: bool, (M,), on the CPU.

    Args:
        members: as of `fit_attack`, as are the errors.
        nonmembers: likewise.
        samples: what the attacker is asked about, such as D_f.
    """
    return {feature: fit_attack(members, nonmembers, feature).called_nonmember(samples) for feature in features}


def attack_accuracy(members: Predictions, nonmembers: Predictions, random: torch.Generator, folds: int = 5) -> float:
    """Return how often the attacker by confidence is right on samples that it was not fitted to: balanced accuracy.

    Cross-validated: the samples are dealt into folds at random, as many members as non-members in each, and each fold
    is decided by a classifier that was fitted to the others.

    Args:
        members: samples of D_r.
        nonmembers: as many samples that were never trained on.
        random: a CPU generator. The same state and number of samples give the same folds.
        folds: at most; fewer where there are fewer members.

    Returns:
        A fraction in [0, 1], 0.5 for an attacker who guesses; nan for a single member, which leaves nothing to fit to.

    Raises:
        ValueError: the numbers of members and non-members differ, or are zero.
    """
    _check_equal(members, nonmembers)
    size = len(members)
    if size == 1:
        return math.nan
    shuffled = [
        _points("confidence", sample)[torch.randperm(size, generator=random).numpy()]
        for sample in (members, nonmembers)
    ]
    fold_N = np.arange(size) % min(folds, size)
    right = 0
    for fold in range(min(folds, size)):
        held_N = fold_N == fold
        members_ND, nonmembers_ND = (points_ND[~held_N] for points_ND in shuffled)
        classifier = _fit(members_ND, nonmembers_ND)
        of_members_M, of_nonmembers_M = (_decide(classifier, points_ND[held_N]) for points_ND in shuffled)
        right += int((~of_members_M).sum() + of_nonmembers_M.sum())
    return right / (2 * size)


def _check_equal(members: Predictions, nonmembers: Predictions) -> None:
    if len(members) != len(nonmembers) or not len(members):
        raise ValueError(
            "membership attack: wanted equally many members and non-members, at least one, "
            f"got {len(members)} and {len(nonmembers)}; `draw_members` draws them"
        )


def _points(feature: Feature, sample: Predictions) -> Array:
    points_ND: Array = FEATURES[feature](sample.logits_NK.detach().cpu().double(), sample.labels_N.cpu()).numpy()
    return points_ND


def _fit(members_ND: Array, nonmembers_ND: Array) -> "Classifier":
    from unlearning.metrics import _svc  # with SciPy, for which processes that attack no model need not wait

    return _svc.fit(members_ND, nonmembers_ND, cost=_COST, gamma=1 / members_ND.shape[1])


def _decide(classifier: "Classifier", points_MD: Array) -> Tensor:
    """Return which points a classifier takes for non-members: bool, (M,)."""
    return torch.from_numpy(classifier.decide(points_MD) < -_TIE)


def _draw(sample: Predictions, size: int, random: torch.Generator) -> Predictions:
    return sample if size == len(sample) else sample.at(torch.randperm(len(sample), generator=random)[:size])


def _draw_mix(sample: Predictions, mix_K: Tensor, random: torch.Generator) -> Predictions:
    """Draw as many as there can be in a mix of classes, in random order; shares are rounded to whole samples."""
    order_N = torch.randperm(len(sample), generator=random)
    labels_N, chosen = sample.labels_N.cpu()[order_N], mix_K > 0
    available_K = torch.bincount(labels_N, minlength=len(mix_K))
    scale = (available_K[chosen] / mix_K[chosen].double()).min()
    counts_K = (scale * mix_K).round().long()
    return sample.at(torch.cat([order_N[labels_N == index][:count] for index, count in enumerate(counts_K.tolist())]))
