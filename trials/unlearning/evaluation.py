"""What the models of one scenario are measured on: the same forget, retain and held-out images, the same members."""

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
    attack_accuracy,
    auc,
    called_nonmember,
    draw_members,
    membership_scores,
    per_class_recall,
    per_class_unlearning_accuracy,
    share_per_class,
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
        attack_accuracy: balanced accuracy of the attack by confidence on members and non-members that it was not fitted
            to; nan where D_r or the non-members are a single image.
        ua_per_class, mia_per_class: UA and MIA of each class's forget images, by the same attack; nan for a class
            without any.
        auc: on test; nan where MedMNIST's definition has no value.
        recall: on test, one a class; nan for a class without images.
    """

    ua: float
    ra: float
    va: float
    ta: float
    mia: float
    attacks: dict[Feature, float]
    attack_accuracy: float
    ua_per_class: tuple[float, ...]
    mia_per_class: tuple[float, ...]
    auc: float
    recall: tuple[float, ...]


@dataclass(frozen=True)
class Evaluator:
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
        mia = membership_scores(*self._sides(retain, val), forget)["confidence"]
        seconds = time.perf_counter() - started
        return Measures(unlearning_accuracy(forget), accuracy(retain), accuracy(val), mia), seconds

    def report(self, logits: Logits) -> ReportMeasures:
        """Measure on all three splits, with every feature of the attack, and the attack itself."""
        forget, retain, test = self._forget(logits), self._retain(logits), self._split("test", logits)
        members, nonmembers = self._sides(retain, self._split(self.data.nonmembers, logits))
        called = called_nonmember(members, nonmembers, forget, FEATURES)
        attacks = {feature: float(called_F.double().mean()) for feature, called_F in called.items()}
        return ReportMeasures(
            ua=unlearning_accuracy(forget),
            ra=accuracy(retain),
            va=accuracy(self._split("val", logits)),
            ta=accuracy(test),
            mia=attacks["confidence"],
            attacks=attacks,
            attack_accuracy=attack_accuracy(members, nonmembers, generator(self.seed, "folds")),
            ua_per_class=per_class_unlearning_accuracy(forget),
            mia_per_class=share_per_class(called["confidence"], forget),
            auc=auc(test),
            recall=per_class_recall(test),
        )

    def _sides(self, retain: Predictions, unseen: Predictions) -> tuple[Predictions, Predictions]:
        """Draw the members and non-members of the attack."""
        return draw_members(retain, unseen, generator(self.seed, "members"))

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
