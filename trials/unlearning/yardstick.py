"""What the models of one question are measured on: the same forget, retain and held-out images, the same members."""

import time
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from unlearning.data import ImageData, SplitName
from unlearning.data.forget import ForgetSet
from unlearning.metrics import (
    FEATURES,
    Feature,
    Predictions,
    accuracy,
    auc,
    draw_members,
    membership_scores,
    per_class_recall,
    unlearning_accuracy,
)
from unlearning.seeds import generator
from unlearning.trial import Logits


@dataclass(frozen=True)
class Measures:
    """UA, RA, VA and MIA with non-members from val, as fractions: what a search may look at."""

    ua: float
    ra: float
    va: float
    mia: float


@dataclass(frozen=True)
class ReportMeasures:
    """What is reported of a model.

    Attributes:
        mia: by confidence, non-members from the data's ``nonmembers`` split.
        attacks: the same score by each feature.
        auc: on test; nan where MedMNIST's definition has no value.
        recall: on test, one a class; nan for a class without images.
    """

    ua: float
    ra: float
    va: float
    ta: float
    mia: float
    attacks: dict[Feature, float]
    auc: float
    recall: tuple[float, ...]


@dataclass(frozen=True)
class Yardstick:
    """Measures models by their logits.

    Attributes:
        seed: of the draw of members; a model and its oracle are attacked with the same ones.
    """

    data: ImageData
    forget: ForgetSet
    seed: int

    def measure(self, logits: Logits) -> tuple[Measures, float]:
        """Measure on train and val; give the measures and the seconds that the attack took."""
        forget, retain, val = self._forget(logits), self._retain(logits), self._split("val", logits)
        started = time.perf_counter()
        mia = self._attack(forget, retain, val, ("confidence",))["confidence"]
        seconds = time.perf_counter() - started
        return Measures(unlearning_accuracy(forget), accuracy(retain), accuracy(val), mia), seconds

    def report(self, logits: Logits) -> ReportMeasures:
        """Measure on all three splits, with every feature of the attack."""
        forget, retain, test = self._forget(logits), self._retain(logits), self._split("test", logits)
        attacks = self._attack(forget, retain, self._split(self.data.nonmembers, logits), tuple(FEATURES))
        return ReportMeasures(
            ua=unlearning_accuracy(forget),
            ra=accuracy(retain),
            va=accuracy(self._split("val", logits)),
            ta=accuracy(test),
            mia=attacks["confidence"],
            attacks=attacks,
            auc=auc(test),
            recall=per_class_recall(test),
        )

    def _attack(
        self, forget: Predictions, retain: Predictions, unseen: Predictions, features: tuple[Feature, ...]
    ) -> dict[Feature, float]:
        members, nonmembers = draw_members(retain, unseen, generator(self.seed, "members"))
        return membership_scores(members, nonmembers, forget, features)

    def _split(self, split: SplitName, logits: Logits) -> Predictions:
        return Predictions(logits[split], self._labels[split])

    def _forget(self, logits: Logits) -> Predictions:
        return self._split("train", logits).at(self.forget.indices_F)

    def _retain(self, logits: Logits) -> Predictions:
        return self._split("train", logits).at(self.forget.retain_R)

    @cached_property
    def _labels(self) -> dict[SplitName, Tensor]:
        data = self.data
        return {"train": data.train.labels_N, "val": data.val.labels_N, "test": data.test.labels_N}
