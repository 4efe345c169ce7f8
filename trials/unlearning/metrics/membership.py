"""Can an attacker tell from the outputs that D_f was trained on? The membership attack of the SalUn literature.

A support vector classifier learns to tell members (samples of D_r) from non-members (held-out samples) by one feature
of the model's output; the score is the share of D_f that it takes for non-members, "MIA-efficacy" (Jia et al., "Model
sparsity can simplify machine unlearning", NeurIPS 2023; Fan et al., "SalUn", ICLR 2024). The target is the oracle's
score, not one half. Attacks on single samples (LiRA and its kin) are not here.
"""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor

from unlearning.metrics import _svc
from unlearning.metrics._base import Predictions

Feature = Literal["correctness", "confidence", "entropy", "modified_entropy", "prob"]

_COST = 3.0
"""``C`` of the support vector classifier in the authors' code; gamma is 1 / (numbers a feature has), "auto"."""

_TIE = 1e-9
"""Decisions this close to zero are ties, which go to the members, as LIBSVM's do where it computes an exact zero."""

_LOG_FLOOR = -69.07755278982137
"""log(1e-30), below which logarithms in the modified entropy are cut, as in the code of Song and Mittal."""


def correctness(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """1 where the largest logit is the true class's, else 0, (N, 1)."""
    return (logits_NK.argmax(1) == labels_N).to(logits_NK.dtype)[:, None]


def confidence(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The probability of the true class, (N, 1). The feature that tables call MIA."""
    return logits_NK.softmax(1).gather(1, labels_N[:, None])


def entropy(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """``-sum_i p_i log p_i`` in nats, (N, 1)."""
    log_p_NK = logits_NK.log_softmax(1)
    return -(log_p_NK.exp() * log_p_NK).sum(1, keepdim=True)


def modified_entropy(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """``-(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i)`` in nats, (N, 1), between 0 and 138.2.

    Source: Song and Mittal, "Systematic evaluation of privacy risks of machine learning models", USENIX Security 2021.
    (SalUn's public code computes another quantity under this name.)
    """
    log_p_NK, log_rest_NK = logits_NK.log_softmax(1), _log_of_the_rest(logits_NK)
    true_N1 = labels_N[:, None]
    of_true_N1 = log_rest_NK.gather(1, true_N1).exp() * log_p_NK.gather(1, true_N1).clamp_min(_LOG_FLOOR)
    of_others_NK = (log_p_NK.exp() * log_rest_NK.clamp_min(_LOG_FLOOR)).scatter(1, true_N1, 0.0)
    return -of_true_N1 - of_others_NK.sum(1, keepdim=True)


def prob(logits_NK: Tensor, labels_N: Tensor) -> Tensor:
    """The probabilities of all classes, (N, K)."""
    return logits_NK.softmax(1)


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


def membership_scores(
    members: Predictions, nonmembers: Predictions, forget: Predictions, features: Iterable[Feature] = ("confidence",)
) -> dict[Feature, float]:
    """Give, by feature, the share of D_f that an attacker takes for non-members.

    Computed on the CPU in float64. Where members and non-members cannot be told apart at all, everything ties and
    counts as a member: the score is 0.

    Args:
        members: samples of D_r.
        nonmembers: as many samples that were never trained on.
        forget: D_f.

    Raises:
        ValueError: the numbers of members and non-members differ, or are zero.
    """
    if len(members) != len(nonmembers) or not len(members):
        raise ValueError(
            "membership attack: wanted equally many members and non-members, at least one, "
            f"got {len(members)} and {len(nonmembers)}; `draw_members` draws them"
        )
    return {feature: _attack(feature, members, nonmembers, forget) for feature in features}


def _attack(feature: Feature, members: Predictions, nonmembers: Predictions, forget: Predictions) -> float:
    members_ND, nonmembers_ND, forget_MD = (
        FEATURES[feature](sample.logits_NK.detach().cpu().double(), sample.labels_N.cpu()).numpy()
        for sample in (members, nonmembers, forget)
    )
    classifier = _svc.fit(members_ND, nonmembers_ND, cost=_COST, gamma=1 / members_ND.shape[1])
    return float((classifier.decide(forget_MD) < -_TIE).mean())


def _draw(sample: Predictions, size: int, random: torch.Generator) -> Predictions:
    return sample if size == len(sample) else sample.at(torch.randperm(len(sample), generator=random)[:size])


def _log_of_the_rest(logits_NK: Tensor) -> Tensor:
    """``log(1 - p_i)``, finite also where ``p_i`` rounds to 1: the most probable class's is summed from the others'."""
    top_N1 = logits_NK.argmax(1, keepdim=True)
    others_N1 = logits_NK.scatter(1, top_N1, -torch.inf).logsumexp(1, keepdim=True)
    log_top_N1 = others_N1 - logits_NK.logsumexp(1, keepdim=True)
    return torch.log1p(-logits_NK.softmax(1)).scatter(1, top_N1, log_top_N1)
