"""Offline RMIA: a membership attack that compares each image's confidence with that of reference models and a
population."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, ClassVar, Final, Literal

import torch
from annotated_types import Ge, Interval
from pydantic import Field
from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, Statistic
from unlearning.metrics import Evaluation, Group, Predictions, Split, Value
from unlearning.roc import area_under_curve, true_positive_rate

FEW_FALSE_ALARMS: Final = 0.01
FEWEST_IMAGES: Final = 1000
"""Ten false alarms are then allowed; with fewer images the rate rests on one or two."""

DEFAULT_A: Final = 0.3
"""Where too few models are there to tune on: the value that the authors use on CIFAR-10."""
GRID: Final = tuple(step / 10 for step in range(11))
"""The values of a that are tried."""


class RMIA(Audit):
    """Offline RMIA with oracles of other seeds as reference models, which have not seen D_f.

    An image's score is the share of a population whose confidence, relative to that of the reference models, is below
    the image's. Forget images are compared with the held-out images that the membership attack's non-members come from,
    whose mix of classes may differ from that of D_f, and the population is the other held-out split. So the value of
    the oracle, audited in the same way, is what a model's is compared with, and not one half.

    The option ``a`` is tuned where the truth is known: on originals of other training seeds, which have seen D_f, each
    attacked with the references of the seeds that are not its own. The audited model has no part in it.

    Source: Zarifzadeh et al., "Low-cost high-power membership inference attacks", ICML 2024 (arXiv 2312.03262).
    """

    name: Literal["rmia"] = "rmia"
    title: ClassVar[str] = "offline RMIA"
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 2
    source: ClassVar[str] = "Zarifzadeh et al., Low-cost high-power membership inference attacks, ICML 2024"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "auc": Statistic(
            "chance that a forgotten image scores higher than an unseen one, ties counted as one half", test="mean"
        ),
        "tpr_at_1_percent_fpr": Statistic(
            "share of the forget set that scores above all but 1 % of unseen images; with at least 1,000 of these",
            test=None,
        ),
        "a": Statistic("the a that was used: given, tuned, or 0.3 where models to tune on are too few", "", test=None),
    }
    references: Annotated[int, Ge(1), Field(description="reference models: oracles of other training seeds")] = 4
    targets: Annotated[
        int, Ge(1), Field(description="originals of other training seeds that `a` is tuned on, where it is not given")
    ] = 2
    a: Annotated[
        Annotated[float, Interval(ge=0, le=1)] | None,
        Field(
            description="assumed confidence of a model that was trained on an image: 1 as one that was not, 0 certain, "
            "between them mixed; `null` tunes it on `targets`, with two references at least"
        ),
    ] = None

    @property
    def pools(self) -> dict[str, ModelPool]:
        """The oracles, and the originals that a is tuned on."""
        oracles = {"references": ModelPool("retain", self.references)}
        return oracles | {"targets": ModelPool("train", self.targets)} if self._tunes else oracles

    @property
    def _tunes(self) -> bool:
        """Whether a is tuned: a target's own pair is no reference of it, so one reference would leave none."""
        return self.a is None and self.references > 1

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Score forget and unseen images against the population."""
        a = tuned_a(_held_out(evidence)) if self._tunes else self.a
        a = DEFAULT_A if a is None else a
        attack = _attack_on(evidence.audited, evidence.pools["references"])
        forget_F, unseen_N, population = *attack.scores(a), attack.population
        area, count = area_under_curve(forget_F, unseen_N), len(forget_F) + len(unseen_N)
        low, high = area.interval or (None, None)
        yield "auc", Value("forget", area.value, count, low=low, high=high)
        if min(len(unseen_N), len(population)) >= FEWEST_IMAGES:
            rate = true_positive_rate(forget_F, unseen_N, FEW_FALSE_ALARMS)
            yield "tpr_at_1_percent_fpr", Value("forget", rate, count)
        yield "a", Value("forget", a)


@dataclass(frozen=True)
class Confidences:
    """The probability that models give to the true class of some images; float64 on the CPU.

    Attributes:
        audited_N: of the audited model.
        references_NR: of R reference models, which were trained on none of the images.
    """

    audited_N: Tensor
    references_NR: Tensor

    def __len__(self) -> int:
        return len(self.audited_N)

    def ratio(self, a: float) -> Tensor:
        """Return confidence relative to the average over models that were and were not trained on an image, (N,)."""
        average_N = (1 + a) / 2 * self.references_NR.mean(1) + (1 - a) / 2
        return self.audited_N / average_N.clamp_min(torch.finfo(average_N.dtype).tiny)


def relative_scores(images: Confidences, population: Confidences, a: float) -> Tensor:
    """Return the RMIA score of each image: float64, (N,), in [0, 1]; high for images that were trained on.

    Args:
        a: a model that was trained on an image is assumed to have a x the confidence of one that was not, plus 1 - a.
    """
    ratio_N, ratio_M = images.ratio(a), population.ratio(a).sort().values
    return torch.searchsorted(ratio_M, ratio_N, side="left").double() / len(population)


@dataclass(frozen=True)
class Attack:
    """What the attack on one model looks at."""

    forget: Confidences
    unseen: Confidences
    population: Confidences

    def scores(self, a: float) -> tuple[Tensor, Tensor]:
        """Return the scores of D_f, (F,), and of the unseen images, (N,)."""
        return relative_scores(self.forget, self.population, a), relative_scores(self.unseen, self.population, a)

    def area(self, a: float) -> float:
        """Return the area under the ROC curve."""
        return area_under_curve(*self.scores(a)).value


def tuned_a(targets: Sequence[Attack]) -> float:
    """Return the value of the grid with the largest mean area over models that have seen D_f.

    Of several the one nearest to the default; of two as near the smaller.
    """
    return max(GRID, key=lambda a: (fmean(target.area(a) for target in targets), -abs(a - DEFAULT_A), -a))


def _held_out(evidence: Evidence) -> list[Attack]:
    """Return the attack on each target by the references of other training seeds: all but its pair."""
    references = evidence.pools["references"]
    return [
        _attack_on(target, (*references[:index], *references[index + 1 :]))
        for index, target in enumerate(evidence.pools["targets"])
    ]


def _attack_on(model: Evaluation, references: Sequence[Evaluation]) -> Attack:
    others: Split = "val" if model.nonmembers == "test" else "test"
    forget, unseen, population = (_seen_by(group, model, references) for group in ("forget", model.nonmembers, others))
    return Attack(forget, unseen, population)


def _seen_by(group: Group, model: Evaluation, references: Sequence[Evaluation]) -> Confidences:
    confidences_NR = [_confidence(one.of(group)) for one in references]
    return Confidences(_confidence(model.of(group)), torch.stack(confidences_NR, dim=1))


def _confidence(predictions: Predictions) -> Tensor:
    logits_NK, labels_N = predictions.logits_NK.detach().cpu().double(), predictions.labels_N.cpu()
    return predictions.task.confidence(logits_NK, labels_N)
