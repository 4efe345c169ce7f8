"""How much a unit of each kind of work is: passes of a training image through the network, forward and backward."""

from dataclasses import dataclass
from statistics import fmean
from typing import Final

from lethe.pipeline.plan import Plan
from lethe.study import MethodSearch, Study
from unlearning.training import Recipe

EVALUATED: Final = 1 / 3
"""What evaluating an image costs, as a share of training on it."""

FITTED: Final = 0.02
"""An artifact that nothing is trained for, as a share of a training."""


@dataclass(frozen=True)
class Work:
    """The work of a unit of each kind, on average over the study's units.

    Attributes:
        training: of a trained model.
        artifact: of a missing artifact of any kind.
        trial: of a setting on the first tuning seeds.
        confirmation: of a row on one seed.
    """

    training: float
    artifact: float
    trial: float
    confirmation: float


def work_of(plan: Plan) -> Work:
    """Return how much the units of a plan are."""
    searches = plan.method_searches
    images = fmean(len(one.scenario.partition(one.rounds[0][0]).everything) for one in searches)
    training = images * _epochs(plan.study)
    run = images * fmean(map(_epochs_of_a_trial, searches))
    audited = images * sum(audit.training_epochs for audit in plan.study.audits)
    trained = [bool(needed.recipe.files & {"logits"}) for needed in plan.missing]
    return Work(
        training,
        training * fmean(1.0 if one else FITTED for one in trained) if trained else training,
        run * len(searches[0].rounds[0]),
        run + audited,
    )


def _epochs_of_a_trial(method_search: MethodSearch) -> float:
    """Return the epochs of the longest trial, with what it is measured after as shares of an epoch."""
    longest = method_search.choice.longest
    return longest + EVALUATED * (1 + len(method_search.measured_after(longest)))


def _epochs(study: Study) -> int:
    """Return the epochs of a training; where no recipe says it, as many as usual."""
    return study.training.epochs if isinstance(study.training, Recipe) else Recipe().epochs
