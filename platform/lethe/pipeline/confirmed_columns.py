"""Columns of a confirmed row that follow from its trial context: the paired oracle, and the cost beside retraining."""

from collections.abc import Sequence
from typing import Any

from lethe.artifacts import oracle
from lethe.artifacts.context import TrialContext
from unlearning.methods import Method
from unlearning.metrics import BUILT_IN
from unlearning.trial import EpochResult


def oracle_of(trial_context: TrialContext) -> str | None:
    """Return the fingerprint of the paired oracle; None where there are no oracles."""
    scenario = trial_context.scenario
    return oracle(scenario, trial_context.seed).fingerprint if scenario.has_oracles else None


def of_oracle(trial_context: TrialContext) -> dict[str, Any]:
    """Return the measures of the paired oracle; none where there are no oracles."""
    evaluation = trial_context.oracle_evaluation
    if evaluation is None:
        return {}
    return {f"oracle_{name}": BUILT_IN[name].overall(evaluation) for name in ("ua", "ra", "va", "ta", "mia")}


def costs(method: Method | None, trial_context: TrialContext, epochs: Sequence[EpochResult]) -> dict[str, Any]:
    """Return what an unlearning run took, with what its method required."""
    assert method is not None
    required = trial_context.seconds_required(method)
    seconds = sum(epoch.seconds_unlearn for epoch in epochs) + sum(required.values())
    images = sum(epoch.images_unlearn for epoch in epochs) + trial_context.images_required(method)
    return {
        "seconds_saliency": required.get("saliency", 0.0),
        **compared_with_retraining(trial_context, seconds, images),
    }


def compared_with_retraining(trial_context: TrialContext, seconds: float, images: int | None) -> dict[str, Any]:
    """Return what making a model took beside what training its oracle did, where there is one."""
    retrained, retraining_s = trial_context.images_retrain, trial_context.seconds_retrain
    return {
        "seconds_unlearn": seconds,
        "seconds_retrain": retraining_s,
        "retrain_share": None if retraining_s is None else seconds / retraining_s,
        "images_unlearn": images,
        "images_retrain": retrained,
        "training_repeats": trial_context.training_repeats,
        "compute_share": None if images is None or retrained is None else images / retrained,
    }
