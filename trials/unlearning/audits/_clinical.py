"""What a clinic sees of a model on the test split: errors by class, calibration, costs, and what changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

import torch
from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field

from unlearning.audits import _clinical_findings as findings
from unlearning.audits._base import Audit, Evidence, Finding, ModelPool, Statistic
from unlearning.audits._clinical_findings import COST_RATIOS, Outputs, Side
from unlearning.clinical import PairedCounts, point_reaching, positions, problem_with, youden_point

_PER_1000: Final = "test images per 1,000"

_COSTS: Final = {
    f"cost_{ratio}": Statistic(
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
    version: ClassVar[int] = 1
    source: ClassVar[str] = "Maier-Hein et al., Metrics reloaded, Nature Methods 2024; docs/methods.md"
    statistics: ClassVar[Mapping[str, Statistic]] = {
        "sensitivity": Statistic("share of a class's test images that are called it, by the largest logit"),
        "specificity": Statistic("share of the other test images that are not called it, by the largest logit"),
        "point_sensitivity": Statistic("sensitivity at the operating point fixed on the original's validation images"),
        "point_specificity": Statistic("specificity at the same operating point"),
        "auroc": Statistic("area under the ROC curve of a class against the rest; of all classes, their mean"),
        "log_loss": Statistic("mean of -log of the true class's probability on test images", "nats"),
        "brier": Statistic("mean squared distance of the probabilities from the truth, summed over classes", ""),
        "temperature": Statistic("temperature that corrects the probabilities, fitted on validation images", ""),
        "temperature_ratio": Statistic("the same divided by the original's; above 1: surer than it was", ""),
        "calibration_loss": Statistic("log loss on test images that the temperature saves", "nats"),
        "worst_class_sensitivity": Statistic("smallest sensitivity of a class, by the largest logit"),
        "worst_third_sensitivity": Statistic(
            "smallest share recognised of the easiest, middle and hardest third of test images, by other oracles' loss"
        ),
        "sensitivity_difference": Statistic("sensitivity of a class minus the oracle's on the same images", ""),
        "noninferior": Statistic(
            "whether the 97.5 % bound of this difference lies above -margin; of all classes, whether for each"
        ),
        "flips": Statistic("test images with another decision than the oracle's", _PER_1000, "lower"),
        "churn": Statistic("test images with another decision of other oracles than of the oracle", _PER_1000),
        "critical_sensitivity": Statistic(
            "share of critical test images called critical, at their operating point from the original"
        ),
        "critical_specificity": Statistic("share of the other test images not called critical, at the same point"),
        "critical_auroc": Statistic("area under the ROC curve of the critical classes against the rest"),
        "critical_sensitivity_difference": Statistic("critical sensitivity minus the oracle's, same images", ""),
        "critical_noninferior": Statistic("whether the 97.5 % bound of this difference lies above -margin"),
        "critical_flips": Statistic("test images that the oracle calls critical and the model not", _PER_1000, "lower"),
        "critical_churn": Statistic("test images that the oracle calls critical and other oracles not", _PER_1000),
        "critical_flips_beyond_churn": Statistic("critical flips minus critical churn", _PER_1000, "lower"),
        **_COSTS,
    }

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

    @property
    def pools(self) -> dict[str, ModelPool]:
        """The other oracles, where any are asked for."""
        return {"oracles": ModelPool("retain", self.oracles)} if self.oracles else {}

    def misfit(self, class_names: tuple[str, ...]) -> str | None:
        """Return what is wrong with the critical classes."""
        problem = problem_with(self.critical, class_names)
        return f"critical: {problem}" if problem else None

    def run(self, evidence: Evidence) -> Iterator[Finding]:
        """Measure the model on the test split, at the original's operating points, and compare it with oracles."""
        audited, others = evidence.audited, evidence.pools["oracles"] if self.oracles else ()
        test, original_val = Outputs.of(audited.of("test")), Outputs.of(evidence.original.of("val"))
        compared = [(Outputs.of(one.of("test")), test) for one in audited.references]
        oracles = [Outputs.of(one.of("test")) for one in others]
        churning = [(Outputs.of(audited.oracle.of("test")), one) for one in oracles] if audited.oracle else []
        yield from findings.errors(test)
        for k in test.classes:
            if (point := self._point(original_val.side([k]))) is not None:
                side = test.side([k])
                called_N = side.odds_N >= point
                yield from findings.rates("point_sensitivity", "point_specificity", called_N, side.positive_N, k)
        yield from findings.areas(test)
        yield from findings.probabilities(Outputs.of(audited.of("val")), test, original_val)
        yield from findings.differences_by_class(compared, self.margin)
        yield from findings.changed("flips", compared)
        yield from findings.changed("churn", churning)
        if oracles:
            yield from findings.worst_third(test, torch.stack([one.losses for one in oracles]).mean(0))
        if critical := positions(self.critical, evidence.class_names):
            sides = _Sides(
                test.side(critical),
                [(first.side(critical), second.side(critical)) for first, second in compared],
                [(first.side(critical), second.side(critical)) for first, second in churning],
            )
            yield from self._of_critical(original_val.side(critical), sides)

    def _of_critical(self, original_val: Side, sides: "_Sides") -> Iterator[Finding]:
        """Yield what is found of the critical classes against the rest."""
        test = sides.test
        yield from findings.critical_area(test)
        yield from findings.costs(test)
        point = self._point(original_val)
        if point is None:
            return
        called_N, positive_N = test.odds_N >= point, test.positive_N
        yield from findings.rates("critical_sensitivity", "critical_specificity", called_N, positive_N)
        compared, churning = (
            [(first.odds_N >= point, second.odds_N >= point) for first, second in pairs]
            for pairs in (sides.compared, sides.churning)
        )
        if positive_N.any():
            pairs = [PairedCounts.count(own_N[positive_N], other_N[positive_N]) for other_N, own_N in compared]
            names = ("critical_sensitivity_difference", "critical_noninferior")
            yield from findings.difference(*names, pairs, self.margin)
        yield from findings.critical_misses(compared, churning)

    def _point(self, val: Side) -> float | None:
        """Choose the operating point by the options; None where val lacks one of the two sides."""
        if self.sensitivity is None:
            return youden_point(val.odds_N, val.positive_N)
        return point_reaching(self.sensitivity, val.odds_N, val.positive_N)


@dataclass(frozen=True, eq=False)
class _Sides:
    """The critical classes against the rest, on the test images.

    Attributes:
        test: of the audited model.
        compared: of each model that it is compared with, beside its own.
        churning: of the paired oracle, each beside that of another oracle.
    """

    test: Side
    compared: list[tuple[Side, Side]]
    churning: list[tuple[Side, Side]]
