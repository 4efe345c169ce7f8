"""Tug of war: three differences to the oracle as one product."""

from collections.abc import Iterator, Mapping
from math import prod

from unlearning.metrics._base import Metric, Value, overall_of
from unlearning.metrics._evaluation import Evaluation
from unlearning.metrics._split_accuracy import RA, TA
from unlearning.metrics._ua import UA

_MEASURES = (UA, RA, TA)


def tug_of_war(measured: Mapping[str, float], oracle: Mapping[str, float]) -> float:
    """Return ToW = (1 - |dFA|) (1 - |dRA|) (1 - |dTA|), where FA = 1 - UA, so that |dFA| = |dUA|.

    Source: Zhao et al., "What makes unlearning hard and what to do about it", NeurIPS 2024.

    Returns:
        A fraction in [0, 1]; 1 is the oracle's own.
    """
    return prod(1 - abs(measured[metric.name] - oracle[metric.name]) for metric in _MEASURES)


def _compute(evaluation: Evaluation) -> Iterator[Value]:
    if evaluation.oracle is not None:
        yield Value(None, tug_of_war(overall_of(_MEASURES, evaluation), overall_of(_MEASURES, evaluation.oracle)))


TOW = Metric(
    name="tow",
    version=1,
    title="tug of war: (1 - |dFA|) (1 - |dRA|) (1 - |dTA|) to the paired oracle",
    compute=_compute,
    direction="higher",
    multi_label=True,
    source="Zhao et al., What makes unlearning hard and what to do about it, NeurIPS 2024",
)
