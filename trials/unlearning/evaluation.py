"""What the models of one scenario are measured on: the same forget, retain and held-out images, the same members."""

import time
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from unlearning.data import ImageData, SplitName
from unlearning.data.forget import ForgetSet
from unlearning.metrics import BUILT_IN, SEARCH_METRICS, AttackClasses, Evaluation, Predictions
from unlearning.trial import Logits


@dataclass(frozen=True)
class Measures:
    """UA, RA, VA and MIA with non-members from val, as fractions: what a search may use."""

    ua: float
    ra: float
    va: float
    mia: float


@dataclass(frozen=True)
class Evaluator:
    """Measures models by their logits.

    Attributes:
        seed: of the draw of members; a model and its oracle are attacked with the same ones.
        attack_classes: of which classes the attack's members and non-members are.
    """

    data: ImageData
    forget: ForgetSet
    seed: int
    attack_classes: AttackClasses = "all"

    def measure(self, logits: Logits) -> tuple[Measures, float]:
        """Measure what a search uses, on train and val; return the measures and the seconds that the attack took."""
        evaluation = self._evaluation(logits, "val")
        started = time.perf_counter()
        evaluation.called_nonmember("confidence")
        seconds = time.perf_counter() - started
        return Measures(**{name: BUILT_IN[name].overall(evaluation) for name in SEARCH_METRICS}), seconds

    def evaluation(self, logits: Logits) -> Evaluation:
        """Return what every metric of a model can be computed from, non-members from the split that the data names."""
        return self._evaluation(logits, self.data.nonmembers)

    def _evaluation(self, logits: Logits, nonmembers: SplitName) -> Evaluation:
        return Evaluation(
            predictions={split: Predictions(values_NK, self._labels[split]) for split, values_NK in logits.items()},
            forget_F=self.forget.indices_F,
            retain_R=self.forget.retain_R,
            control_C=self.forget.control_C,
            unit_N=self.data.duplicate_of_N,
            columns={"train": self.data.train.columns, "val": self.data.val.columns, "test": self.data.test.columns},
            nonmembers=nonmembers,
            seed=self.seed,
            attack_classes=self.attack_classes,
        )

    @cached_property
    def _labels(self) -> dict[SplitName, Tensor]:
        data = self.data
        return {"train": data.train.labels_N, "val": data.val.labels_N, "test": data.test.labels_N}
