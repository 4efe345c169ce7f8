"""The gap: how far a model is from its oracle, over the four measures of the literature's tables."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from unlearning.metrics._base import Metric, Value, overall_of
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics._mia import MIA
from unlearning.metrics._split_accuracy import RA, TA
from unlearning.metrics._ua import UA

_MEASURES = (UA, RA, TA, MIA)


def average_gap(measured: Mapping[str, float], oracle: Mapping[str, float], metrics: Sequence[str]) -> float:
    """Return the mean over ``metrics`` of the absolute difference to the oracle (Fan et al., "SalUn", ICLR 2024).

    Args:
        measured, oracle: values by the name of the metric; a model is compared with the oracle of its training seed.

    Returns:
        A fraction in [0, 1]; 0 is the oracle's own.
    """
    return fmean(abs(measured[name] - oracle[name]) for name in metrics)


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    if evaluation.references:
        own = overall_of(_MEASURES, evaluation)
        others = (overall_of(_MEASURES, other) for other in evaluation.references)
        yield Value(None, fmean(average_gap(own, other, list(own)) for other in others))


GAP = Metric(
    name="gap",
    version=1,
    title="mean absolute difference to the paired oracle over UA, RA, TA and MIA",
    compute=_compute,
    direction="lower",
    multi_label=True,
    source="Fan et al., SalUn, ICLR 2024",
)
