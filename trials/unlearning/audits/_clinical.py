"""What a clinic sees of a model on the test split: errors by class, calibration, costs, and what changed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Final, Literal, Self

import torch
from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, Field
from torch import Tensor

from unlearning.audits import _clinical_findings as findings
from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, Statistic
from unlearning.audits._clinical_findings import COST_RATIOS, Outputs, Pair, Side
from unlearning.clinical import (
    ImageSampling,
    PatientSampling,
    flips,
    missed,
    point_reaching,
    positions,
    problem_with,
    youden_point,
)
from unlearning.data import PATIENT
from unlearning.seeds import generator

_PER_1000: Final = "test images per 1,000"

_shown: Final = partial(Statistic, test=None)
"""Makes a statistic that is read beside the others and is no test of forgetting."""

_COSTS: Final = {
    f"cost_{ratio}": _shown(
        f"expected cost where a missed critical image costs {ratio} x a false alarm; 1 is the best constant decision",
        "",
    )
    for ratio in COST_RATIOS
}


class Clinical(Audit):
    """Sensitivity and specificity, calibration and cost on the test split, and how decisions differ from retraining.

    Operating points are thresholds that are chosen on the original's validation images and then kept for every model of
    that training seed: that is what a clinic has in use when the model behind them is replaced. What is compared is
    compared with the paired oracle; of an oracle itself, with the oracles of the other reporting seeds.

    Sources: docs/methods.md names one for each statistic.
    """

    name: Literal["clinical"] = "clinical"
    title: ClassVar[str] = "what a clinic sees"
    version: ClassVar[int] = 2
    source: ClassVar[str] = "Maier-Hein et al., Metrics reloaded, Nature Methods 2024; docs/methods.md"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "sensitivity": _shown("share of a class's test images that are called it, by the largest logit"),
        "specificity": _shown("share of the other test images that are not called it, by the largest logit"),
        "point_sensitivity": _shown("sensitivity at the operating point fixed on the original's validation images"),
        "point_specificity": _shown("specificity at the same operating point"),
        "auroc": _shown("area under the ROC curve of a class against the rest; of all classes, their mean"),
        "auroc_difference": _shown(
            "area of a class against the rest minus the oracle's on the same images; of all classes, their mean", ""
        ),
        "log_loss": _shown("mean of -log of the true class's probability on test images", "nats"),
        "brier": _shown("mean squared distance of the probabilities from the truth, summed over classes", ""),
        "temperature": _shown("temperature that corrects the probabilities, fitted on validation images", ""),
        "temperature_ratio": _shown("the same divided by the original's; above 1: surer than it was", ""),
        "calibration_loss": _shown("log loss on test images that the temperature saves", "nats"),
        "worst_class_sensitivity": _shown("smallest sensitivity of a class, by the largest logit"),
        "worst_third_sensitivity": _shown(
            "smallest share recognised of the easiest, middle and hardest third of test images, by other oracles' loss"
        ),
        "worst_group_sensitivity": _shown(
            "smallest share recognised among groups of test images by the column that the study names"
        ),
        "group_gap": _shown("largest share recognised among these groups minus the smallest", direction="lower"),
        "sensitivity_difference": _shown("sensitivity of a class minus the oracle's on the same images", ""),
        "noninferior": _shown(
            "whether the 97.5 % bound of this difference lies above -margin; of all classes, whether for each"
        ),
        "flips": _shown("test images with another decision than the oracle's", _PER_1000, "lower"),
        "churn": _shown("test images that the paired oracle decides otherwise than other oracles", _PER_1000),
        "flips_beyond_churn": _shown(
            "test images with another decision than other oracles', minus the churn", _PER_1000, "lower"
        ),
        "critical_sensitivity": _shown(
            "share of critical test images called critical, at their operating point from the original"
        ),
        "critical_specificity": _shown("share of the other test images not called critical, at the same point"),
        "critical_auroc": _shown("area under the ROC curve of the critical classes against the rest"),
        "critical_auroc_difference": _shown("area of the critical classes minus the oracle's, same images", ""),
        "critical_sensitivity_difference": _shown("critical sensitivity minus the oracle's, same images", ""),
        "critical_worst_group_sensitivity": _shown("smallest critical sensitivity among the groups"),
        "critical_group_gap": _shown(
            "largest critical sensitivity among the groups minus the smallest", direction="lower"
        ),
        "critical_noninferior": _shown("whether the 97.5 % bound of this difference lies above -margin"),
        "critical_flips": _shown("test images that the oracle calls critical and the model not", _PER_1000, "lower"),
        "critical_churn": _shown("test images that other oracles call critical and the paired oracle not", _PER_1000),
        "critical_flips_beyond_churn": _shown(
            "test images that other oracles call critical and the model not, minus the critical churn",
            _PER_1000,
            "lower",
        ),
        **_COSTS,
    }
    needs_oracle: ClassVar[bool] = False

    critical: Annotated[tuple[Annotated[int, Ge(0)] | str, ...], Field(strict=False)] = Field(
        (), description="the classes that must not be missed, by name or by position, counted from 0; none by default"
    )
    sensitivity: Annotated[float, Gt(0), Le(1)] | None = Field(
        None,
        description="sensitivity that an operating point has to reach on the original's validation images; if not "
        "given, the point is the one with the largest Youden index there",
    )
    margin: Annotated[float, Gt(0), Lt(1)] = Field(
        0.02, description="loss of sensitivity, as a fraction, that is still acceptable: the margin of non-inferiority"
    )
    oracles: Annotated[int, Ge(0)] = Field(
        1, description="oracles of other seeds, for the churn and the difficulty of images; 0 leaves both out"
    )

    group: Annotated[str, AfterValidator(lambda column: column.strip().casefold())] | None = Field(
        None,
        description="column of the data whose groups of test images are compared, such as site or scanner; none by "
        "default",
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The patients, and the groups where any are asked for."""
        return (PATIENT, self.group) if self.group else (PATIENT,)

    @property
    def pools(self) -> dict[str, ModelPool]:
        """The other oracles, where any are asked for."""
        return {"oracles": ModelPool("retain", self.oracles)} if self.oracles else {}

    def misfit(self, class_names: tuple[str, ...], columns: Collection[str]) -> str | None:
        """Return what is wrong with the critical classes and with the column of groups."""
        if problem := problem_with(self.critical, class_names):
            return f"critical: {problem}"
        if self.group and self.group not in columns:
            return f"group: no column {self.group!r}; the columns are {', '.join(columns) or 'none'}"
        return None

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Measure the model on the test split, at the original's operating points, and compare it with oracles."""
        audited, others = evidence.audited, evidence.pools["oracles"] if self.oracles else ()
        test, original_val = Outputs.of(audited.of("test")), Outputs.of(evidence.original.of("val"))
        oracles = _Oracles(
            compared=[Outputs.of(one.of("test")) for one in audited.references],
            others=[Outputs.of(one.of("test")) for one in others],
            paired=[Outputs.of(audited.oracle.of("test"))] if audited.oracle else [],
        )
        known = _Known.of(audited.columns.get("test", {}), self.group, evidence.seed)
        yield from findings.errors(test, known.sampling)
        for k in test.classes:
            if (point := self._point(original_val.side([k]))) is not None:
                side = test.side([k])
                names = ("point_sensitivity", "point_specificity")
                yield from findings.rates(*names, side.odds_N >= point, side.positive_N, known.sampling, k)
        yield from findings.areas(test, oracles.compared, known.sampling)
        yield from findings.probabilities(Outputs.of(audited.of("val")), test, original_val)
        yield from findings.differences_by_class(test, oracles.compared, self.margin, known.sampling)
        yield from findings.changed("", flips, test.decided, *oracles.each(lambda one: one.decided), known.sampling)
        if others:
            yield from findings.worst_third(test, torch.stack([one.losses for one in oracles.others]).mean(0))
        yield from findings.worst_group("", test.right, torch.ones_like(test.right), known.groups_N, known.sampling)
        if critical := positions(self.critical, evidence.class_names):
            yield from self._of_critical(critical, original_val.side(critical), test.side(critical), oracles, known)

    def _of_critical(
        self, critical: tuple[int, ...], original_val: Side, test: Side, oracles: "_Oracles", known: "_Known"
    ) -> Iterator[Finding]:
        """Yield what is found of the critical classes against the rest."""
        yield from findings.critical_area(test, [one.side(critical) for one in oracles.compared], known.sampling)
        yield from findings.costs(test)
        point = self._point(original_val)
        if point is None:
            return
        called_N, positive_N = test.odds_N >= point, test.positive_N
        yield from findings.rates("critical_sensitivity", "critical_specificity", called_N, positive_N, known.sampling)
        compared, others, paired = oracles.each(lambda one: one.side(critical).odds_N >= point)
        if positive_N.any():
            pairs = [Pair.of(called_N, other_N, positive_N, known.sampling) for other_N in compared]
            names = ("critical_sensitivity_difference", "critical_noninferior")
            yield from findings.difference(*names, pairs, self.margin)
        yield from findings.changed("critical_", missed, called_N, compared, others, paired, known.sampling)
        yield from findings.worst_group("critical_", called_N, positive_N, known.groups_N, known.sampling)

    def _point(self, val: Side) -> float | None:
        """Choose the operating point by the options; None where val lacks one of the two sides."""
        if self.sensitivity is None:
            return youden_point(val.odds_N, val.positive_N)
        return point_reaching(self.sensitivity, val.odds_N, val.positive_N)


@dataclass(frozen=True)
class _Known:
    """What the data knows of the test images.

    Attributes:
        groups_N: the group that each is of; None where the study names no column.
        sampling: of patients where these are known, else of images.
    """

    groups_N: tuple[str, ...] | None
    sampling: ImageSampling

    @classmethod
    def of(cls, columns: Mapping[str, tuple[str, ...]], group: str | None, seed: int) -> Self:
        """Take it from the columns of the test images."""
        patients = columns.get(PATIENT)
        sampling = PatientSampling.of(patients, generator(seed, "patients")) if patients else ImageSampling()
        return cls(columns[group] if group else None, sampling)


@dataclass(frozen=True)
class _Oracles:
    """Oracles on the test images.

    Attributes:
        compared: those that the audited model is compared with.
        others: those of the pool.
        paired: that of the audited model's seed, or none.
    """

    compared: list[Outputs]
    others: list[Outputs]
    paired: list[Outputs]

    def each(self, decide: Callable[[Outputs], Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor | None]:
        """Return what each of them decides, in the order of the attributes."""
        compared, others, paired = ([decide(one) for one in some] for some in (self.compared, self.others, self.paired))
        return compared, others, paired[0] if paired else None
