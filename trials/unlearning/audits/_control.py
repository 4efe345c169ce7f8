"""The exact test of the control half: does the model treat what it should have forgotten unlike what it never saw?"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from torch import Tensor

from unlearning.audits._base import Audit, Evidence, Finding, Statistic
from unlearning.audits._mann_whitney import mann_whitney
from unlearning.audits._scores import by_unit, learned_score, simple_scores
from unlearning.metrics import Evaluation, Value
from unlearning.roc import area_under_curve

_SCORES = {
    "loss": "loss",
    "margin": "margin of the true class's logit over the largest other",
    "entropy": "entropy of the prediction",
    "learned": "linear discriminant of the three, learned from retain images and the attack's non-members",
}


def _area_by(title: str) -> Statistic:
    return Statistic(f"chance that a forgotten image looks more trained on than a control image, by {title}", test=None)


def _p_value_by(title: str) -> Statistic:
    return Statistic(f"two-sided p-value of the Mann-Whitney test by {title}", "", "higher", "p-value")


class ControlTest(Audit):
    """Forget images against those of the control half, of which a lot decided which of the two they are.

    A model that was retrained without D_f does not depend on that lot. So under perfect forgetting the scores of the
    two halves could be exchanged, and the p-value of the Mann-Whitney test is exact: there is no shift between train
    and test, no shadow model, and one model is enough. An area below one half says that the model avoids what it
    forgot.

    Source: the permutation argument of randomised experiments (Fisher, "The design of experiments", 1935), with halves
    as in Naderloui et al., "Rectifying privacy and efficacy measurements in machine unlearning", 2025 (RULI).
    """

    name: Literal["control"] = "control"
    title: ClassVar[str] = "forget set against the control half"
    multi_label: ClassVar[bool] = True
    version: ClassVar[int] = 1
    source: ClassVar[str] = "permutation test of a random half; Mann and Whitney 1947"
    needs_control: ClassVar[bool] = True
    statistics: ClassVar[Mapping[str, Statistic]] = {
        name: statistic
        for score, title in _SCORES.items()
        for name, statistic in ((f"{score}_auc", _area_by(title)), (f"{score}_p", _p_value_by(title)))
    }
    needs_oracle: ClassVar[bool] = False

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Compare the halves by each score; nothing where the request has no control half."""
        audited = evidence.audited
        if not len(audited.control_C):
            return
        for name, (forget_U, control_V) in _halves(audited).items():
            area, count = area_under_curve(forget_U, control_V), len(forget_U) + len(control_V)
            low, high = area.interval or (None, None)
            yield f"{name}_auc", Value("forget", area.value, count, low=low, high=high)
            yield f"{name}_p", Value("forget", mann_whitney(forget_U, control_V), count)


def _halves(audited: Evaluation) -> dict[str, tuple[Tensor, Tensor]]:
    """Return each score of the units of D_f and of the control half."""
    forget, control = (simple_scores(audited.of(group)) for group in ("forget", "control"))
    learned_F, learned_C = learned_score(audited, ("forget", "control"))
    scores = {name: (forget[name], control[name]) for name in forget} | {"learned": (learned_F, learned_C)}
    return {
        name: (
            by_unit(of_forget, audited.forget_F, audited.unit_N),
            by_unit(of_control, audited.control_C, audited.unit_N),
        )
        for name, (of_forget, of_control) in scores.items()
    }
