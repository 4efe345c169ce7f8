"""All that is measured of one model: the accuracies of the table and the membership attack, under the names of rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from unlearning.metrics._base import Predictions
from unlearning.metrics.accuracy import accuracy, unlearning_accuracy
from unlearning.metrics.membership import Feature, draw_members, membership_scores
from unlearning.seeds import generator


@dataclass(frozen=True)
class Measurement:
    """What one model scores; fractions in [0, 1].

    Attributes:
        ua: 1 - accuracy on D_f.
        ra, va: accuracy on D_r and on val.
        ta: accuracy on test; None where test must not be looked at.
        mia: the share of D_f that a membership attacker takes for non-members, by the feature that it looks at.
    """

    ua: float
    ra: float
    va: float
    ta: float | None
    mia: Mapping[Feature, float]

    def row(self) -> dict[str, float]:
        """Name the scores as `gap` reads them: ua, ra, va, ta (where measured) and mia_<feature>."""
        accuracies = {"ua": self.ua, "ra": self.ra, "va": self.va} | ({} if self.ta is None else {"ta": self.ta})
        return accuracies | {f"mia_{feature}": score for feature, score in self.mia.items()}


def measure(
    train: Predictions,
    val: Predictions,
    forget_N: Tensor,
    *,
    nonmembers: Predictions,
    seed: int,
    test: Predictions | None = None,
    features: Iterable[Feature] = ("confidence",),
) -> Measurement:
    """Measure one model.

    Args:
        train: on the whole training split.
        forget_N: bool, True where a training image belongs to D_f; the rest is D_r.
        nonmembers: the held-out samples that the attack learns from: val in a search.
        seed: of the members' draw; give a model and its oracle the same, and both are attacked with the same samples.
        test: None in a search, which must not see it.
        features: what the attack looks at, one score each.

    Raises:
        ValueError: D_r or the non-members are empty.
    """
    forget, retain = train.at(forget_N), train.at(~forget_N)
    members, nonmembers = draw_members(retain, nonmembers, generator(seed, "members"))
    return Measurement(
        ua=unlearning_accuracy(forget),
        ra=accuracy(retain),
        va=accuracy(val),
        ta=None if test is None else accuracy(test),
        mia=membership_scores(members, nonmembers, forget, features),
    )
