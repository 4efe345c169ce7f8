"""Models that each forgot a random half of their own of the same candidates: the attacks that this makes possible.

Of two models of one unlearner, one forgot a candidate and the other was never trained on it. An attack learns from the
other models what both look like, and guesses of a model that it did not learn from which candidates it forgot. If
unlearning were retraining, all models would be independent of all halves; then the halves could have been drawn anew,
and the attack would do as well with such halves. That makes its p-value exact, for any number of models.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from unlearning.ensembles._array import Array
from unlearning.ensembles._held_out import Mask, log_densities, log_kernel_densities
from unlearning.guessing import Guesses, gaussian_bound, mean_bound

FEWEST_HALVES: Final = 4
"""Models: without the one that is attacked, three are left to be compared."""

DRAWS: Final = 499
"""Halves drawn anew for a p-value, which is then at least 0.002."""

GUESSES: Final = 100
"""Candidates that are guessed of each model, half of them as forgotten; all where there are fewer."""

LEVEL: Final = 0.05


@dataclass(frozen=True)
class AttackedHalves:
    """What the attacks find; an AUC is the mean over the models, each by itself, ties counted as one half.

    nan where no candidate can be judged, which takes very few of them.

    Attributes:
        lira_auc: U-LiRA, with models of the same unlearner that never had the candidate as OUT.
        lira_p: chance of at least this AUC if no model depends on its half, by drawing all halves anew.
        lira_auc_oracles: U-LiRA with retrained models as OUT: chance that a model has a higher ratio than its oracle on
            a candidate that it forgot.
        ruli_auc: RULI's privacy attack: as U-LiRA, with kernel densities in place of Gaussians.
        ruli_efficacy: RULI's efficacy attack: chance that a forgotten candidate, asked of the unlearned model, scores
            higher than one that the original was not trained on, asked of the original.
        guesses: candidates that are guessed of each model.
        right_share: share of the guesses that are right.
        epsilon_p: chance of so many right guesses together if no model depends on its half; exact.
        epsilon_bound, gaussian_bound: the epsilon, and the mu, that all guesses together refute at `LEVEL`.
    """

    lira_auc: float
    lira_p: float
    lira_auc_oracles: float
    ruli_auc: float
    ruli_efficacy: float
    guesses: int
    right_share: float
    epsilon_p: float
    epsilon_bound: float
    gaussian_bound: float


def attack_halves(unlearned_NU: Array, originals_NU: Array, oracles_NU: Array, forgotten_NU: Mask) -> AttackedHalves:
    """Attack models of one row by each other, by their originals and by their oracles, each of the same N seeds.

    Args:
        unlearned_NU, originals_NU, oracles_NU: margins for the true class of each of the U candidates.
        forgotten_NU: which candidates each model forgot, an even half of them, drawn independently for each model.

    Raises:
        ValueError: there are fewer than `FEWEST_HALVES` models, the candidates are not the same, or a half is uneven.
    """
    _check(unlearned_NU, originals_NU, oracles_NU, forgotten_NU)
    auc, p = lira_test(unlearned_NU, forgotten_NU)
    right = right_guesses(unlearned_NU, oracles_NU, forgotten_NU)
    law = _law(forgotten_NU)
    return AttackedHalves(
        lira_auc=auc,
        lira_p=p,
        lira_auc_oracles=_lira_of_oracles(unlearned_NU, oracles_NU, forgotten_NU),
        ruli_auc=_mean_auc(_kernel_ratios(unlearned_NU, unlearned_NU, forgotten_NU, unlearned_NU), forgotten_NU),
        ruli_efficacy=_efficacy(unlearned_NU, originals_NU, forgotten_NU),
        guesses=law.guesses,
        right_share=sum(right) / (law.guesses * len(right)),
        epsilon_p=law.tail(right),
        epsilon_bound=mean_bound(law, right, LEVEL),
        gaussian_bound=gaussian_bound(law, right, LEVEL),
    )


def lira_test(unlearned_NU: Array, forgotten_NU: Mask, draws: int = DRAWS) -> tuple[float, float]:
    """Return the AUC of U-LiRA's ratios, and the chance of at least it if no model depends on its half.

    Args:
        draws: how often all halves are drawn anew; the p-value is at least 1 / (draws + 1).
    """
    auc, random = _mean_auc(ratios(unlearned_NU, forgotten_NU), forgotten_NU), np.random.default_rng(0)
    if np.isnan(auc):
        return auc, auc
    halves = (random.permuted(forgotten_NU, axis=1) for _ in range(draws))
    as_good = sum(not _mean_auc(ratios(unlearned_NU, drawn_NU), drawn_NU) < auc for drawn_NU in halves)
    return auc, (1 + as_good) / (draws + 1)


def ratios(unlearned_NU: Array, forgotten_NU: Mask) -> Array:
    """Return U-LiRA's log likelihood ratio of each model's margins, (N, U), by Gaussians of the other models.

    nan where all other models forgot the candidate, or none did. Source: Hayes et al., "Inexact unlearning needs more
    careful evaluations", 2024; OUT as in its public code (xcadet/deepunlearn, ``munl/lira``), the same unlearner's
    models that never had the image.
    """
    forgot_NU, never_NU = (
        log_densities(unlearned_NU, unlearned_NU, side_NU) for side_NU in (forgotten_NU, ~forgotten_NU)
    )
    return np.asarray(forgot_NU - never_NU)


def right_guesses(unlearned_NU: Array, oracles_NU: Array, forgotten_NU: Mask) -> list[int]:
    """Count for each model the right guesses of its half, from its margins minus the mean of other seeds' oracles.

    The guesses know no half, of which those of `unlearning.guessing` may be counted together. Equal scores are ordered
    by the candidates' places, never by their half.
    """
    each = _law(forgotten_NU).guesses // 2
    others_NU = (oracles_NU.sum(0) - oracles_NU) / (len(oracles_NU) - 1)
    order_NU = np.argsort(-(unlearned_NU - others_NU), axis=1, kind="stable")
    guessed_NU = np.take_along_axis(forgotten_NU, order_NU, axis=1)
    return [int(row_U[:each].sum() + (~row_U[-each:]).sum()) for row_U in guessed_NU]


def _law(forgotten_NU: Mask) -> Guesses:
    return Guesses(forgotten_NU.shape[1], min(GUESSES, forgotten_NU.shape[1]))


def _lira_of_oracles(unlearned_NU: Array, oracles_NU: Array, forgotten_NU: Mask) -> float:
    """Compare each model with its oracle by Gaussians of the other models and of the other oracles."""
    every_NU = np.ones_like(forgotten_NU)
    ours_NU, theirs_NU = (
        log_densities(asked_NU, unlearned_NU, forgotten_NU) - log_densities(asked_NU, oracles_NU, every_NU)
        for asked_NU in (unlearned_NU, oracles_NU)
    )
    higher_M = np.sign(ours_NU - theirs_NU)[forgotten_NU]
    known_M = higher_M[~np.isnan(higher_M)]
    return float((known_M.mean() + 1) / 2) if len(known_M) else float("nan")


def _kernel_ratios(asked_NU: Array, unlearned_NU: Array, forgotten_NU: Mask, never_NU: Array) -> Array:
    """Return the log ratio of the kernel densities of margins of what was forgotten and of what was never seen."""
    return np.asarray(
        log_kernel_densities(asked_NU, unlearned_NU, forgotten_NU)
        - log_kernel_densities(asked_NU, never_NU, ~forgotten_NU)
    )


def _efficacy(unlearned_NU: Array, originals_NU: Array, forgotten_NU: Mask) -> float:
    """Compare forgotten candidates, asked of the unlearned model, with others, asked of the original.

    Source: Naderloui et al., "Rectifying privacy and efficacy measurements in machine unlearning", 2025 (RULI;
    datasec-lab/Ruli, ``core/attack/unlearn_attack.py``).
    """
    asked_NU = np.where(forgotten_NU, unlearned_NU, originals_NU)
    return _mean_auc(_kernel_ratios(asked_NU, unlearned_NU, forgotten_NU, originals_NU), forgotten_NU)


def _mean_auc(scores_NU: Array, forgotten_NU: Mask) -> float:
    """Return the mean over models of the chance that what it forgot scores higher than what it never had.

    A candidate without a score is left out, and a model that has none of either kind left.
    """
    known_NU = ~np.isnan(scores_NU)
    sides = [
        (scores_U[forgotten_U & known_U], scores_U[~forgotten_U & known_U])
        for scores_U, forgotten_U, known_U in zip(scores_NU, forgotten_NU, known_NU, strict=True)
    ]
    areas = [_auc(*side) for side in sides if all(map(len, side))]
    return float(np.mean(areas)) if areas else float("nan")


def _auc(higher_M: Array, lower_L: Array) -> float:
    sorted_L = np.sort(lower_L)
    below_M = np.searchsorted(sorted_L, higher_M, "left") + np.searchsorted(sorted_L, higher_M, "right")
    return float(below_M.mean() / (2 * len(sorted_L)))


def _check(unlearned_NU: Array, originals_NU: Array, oracles_NU: Array, forgotten_NU: Mask) -> None:
    shapes = {one.shape for one in (unlearned_NU, originals_NU, oracles_NU, forgotten_NU)}
    if len(shapes) > 1 or len(forgotten_NU) < FEWEST_HALVES:
        raise ValueError(f"wanted {FEWEST_HALVES} models of each kind and the same candidates, got {sorted(shapes)}")
    sizes = forgotten_NU.sum(1)
    if (2 * sizes != forgotten_NU.shape[1]).any():
        raise ValueError(f"wanted halves of {forgotten_NU.shape[1]} candidates, got {sizes.tolist()}")
