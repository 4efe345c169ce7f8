"""From how many requests on the methods of a plan will pay: an estimate, in retrainings, before anything is run."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from lethe.artifacts import Needed, TrainedModel
from lethe.pipeline.estimate import Estimate
from lethe.pipeline.plan import Plan
from lethe.results import durations
from lethe.study import MethodSearch, Scenario
from unlearning.own_recipe import OwnRecipe
from unlearning.training import Recipe


@dataclass(frozen=True)
class BreakEven:
    """What a method of a scenario will cost, in retrainings: images trained on, of those of one oracle.

    Attributes:
        tuning: the trials of its search.
        models: originals and oracles, without the original that production has trained.
        confirming: the unlearnings on the reporting seeds.
        unlearning: one more.
    """

    method_search: MethodSearch
    tuning: float
    models: int
    confirming: float
    unlearning: float

    @property
    def requests(self) -> int | None:
        """The requests from which all parts together cost less than a retraining at each; None: never."""
        if self.unlearning >= 1:
            return None
        return math.floor((self.tuning + self.models + self.confirming) / (1 - self.unlearning)) + 1


def break_evens(plan: Plan) -> Iterator[BreakEven]:
    """Estimate for each method of a plan from epochs and images alone, at the longest setting that may be chosen.

    Nothing is estimated where a function of the user's trains the models, which does not say for how many epochs, or
    nobody knows how they are trained.
    """
    training = plan.study.training
    if not isinstance(training, Recipe):
        return
    for method_search, standing in zip(plan.method_searches, plan.standings, strict=True):
        scenario, study = method_search.scenario, plan.study
        models = sum(isinstance(one.recipe, TrainedModel) and _serves(one, scenario) for one in plan.needed)
        parts = scenario.partition(study.seeds.reporting[0])
        per_epoch = len(parts.everything) / (training.epochs * len(scenario.retained))
        unlearning = method_search.choice.longest * per_epoch
        runs = standing.left * len(method_search.rounds[0]) + sum(len(row.training_seeds) for row in standing.rows)
        yield BreakEven(
            method_search, runs * unlearning, max(0, models - 1), len(study.seeds.reporting) * unlearning, unlearning
        )


def in_words(plan: Plan, estimate: Estimate) -> Iterator[str]:
    """Write the estimates of each scenario's methods, a sentence for all of them."""
    of_retraining = "" if estimate.training_s is None else f" (about {durations.estimated(estimate.training_s)} each)"
    found = list(break_evens(plan))
    if isinstance(plan.study.training, OwnRecipe):
        yield "Break-even: unknown before models are trained, by a function of your own."
    for scenario in dict.fromkeys(one.method_search.scenario.title for one in found):
        own = [one for one in found if one.method_search.scenario.title == scenario]
        rows = "; ".join(
            f"{requests} ({', '.join(one.method_search.row for one in own if _requests(one) == requests)})"
            for requests in dict.fromkeys(map(_requests, own))
        )
        first = own[0]
        yield (
            f"Break-even, an estimate from epochs and images: {scenario}: requests from which tuning, models, "
            f"confirming and unlearnings cost less than a retraining at each: {rows}. In retrainings{of_retraining}: "
            f"tuning {fmean(one.tuning for one in own):.1f}, models {first.models}, confirming "
            f"{fmean(one.confirming for one in own):.1f}, an unlearning {fmean(one.unlearning for one in own):.2f}"
            f"{', means over the methods' if len(own) > 1 else ''}. It holds if the setting is kept for later requests."
        )


def _serves(needed: Needed, scenario: Scenario) -> bool:
    """Return whether a model is of a scenario; an original is of all that share it."""
    shared = needed.label == "original" and needed.scenario.trained_on == scenario.trained_on
    return shared or needed.scenario.fingerprint == scenario.fingerprint


def _requests(one: BreakEven) -> str:
    return "never" if one.requests is None else f"{one.requests:,}"
