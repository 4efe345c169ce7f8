"""How many trials a plan runs at once, where, and about how long it takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from lethe.artifacts import TrainedModel
from lethe.execution.device import claim_device
from lethe.execution.node_types import NodeType
from lethe.execution.resources import fitting
from lethe.pipeline.plan import Plan
from lethe.pipeline.work import work_of
from lethe.results import ArtifactRow, ConfirmationRow, Store, to_rows
from lethe.results.race import Standing
from lethe.search.calibration import known, packs_gpus, resources_for
from lethe.study import Resources, Scenario, Study
from unlearning.data.augment import AUGMENTATIONS
from unlearning.own_recipe import OwnRecipe
from unlearning.training import Recipe, Training

PROBE_BATCHES = 4


@dataclass(frozen=True)
class Spot:
    """What all machines of one type together run at a time."""

    node_type: NodeType
    trainings: int
    trials: int


@dataclass(frozen=True)
class Estimate:
    """How long a plan takes on some machines, and with how many workers.

    Attributes:
        seconds: None where no machine can hold such a worker, and before a training function of the user's has trained
            a first model.
        reason: where the resources of a trial come from.
        training_s: of one training, where finished ones or a probe say it.
    """

    seconds: float | None
    training_workers: int
    trial_workers: int
    spots: tuple[Spot, ...]
    reason: str
    training_s: float | None = None


def estimate(plan: Plan, store: Store, node_types: Sequence[NodeType]) -> Estimate:
    """Estimate from the times of the study's finished units, else from a short probe here.

    Args:
        node_types: the machines to run on.
    """
    asked = plan.study.resources
    resources, reason = _resources_of_trials(plan, store, node_types)
    spots = tuple(
        Spot(node_type, *(node_type.count * fitting(node_type.resources, one) for one in (asked.training, resources)))
        for node_type in node_types
    )
    trainers, triers = sum(spot.trainings for spot in spots), sum(spot.trials for spot in spots)
    if asked.workers is not None:
        trainers, triers = min(trainers, asked.workers), min(triers, asked.workers)
    if not (trainers and triers):
        return Estimate(None, trainers, triers, spots, reason)
    study = plan.study.name
    made = to_rows(store.read("artifacts", study), ArtifactRow)
    trained = [row.seconds_total for row in made if row.kind in ("original", "oracle") or row.epochs]
    tried = [row.seconds_total for row in plan.trials if row.seconds_total]
    confirmed = [row.seconds_total for row in to_rows(store.read("confirmations", study), ConfirmationRow)]
    if isinstance(plan.study.training, OwnRecipe) and not trained:
        return Estimate(None, trainers, triers, spots, reason)
    per_image = 0.0 if trained and tried else _seconds_per_image(plan)
    work = work_of(plan)
    training_s = fmean(trained) if trained else work.training * per_image
    trial_s = fmean(tried) if tried else work.trial * per_image
    auditing_s = _auditing_s(plan.study, training_s)
    unaudited_s = trial_s / len(plan.method_searches[0].rounds[0])
    # rows that were confirmed before their study named an audit took less than it takes
    confirming_s = max(fmean(confirmed), auditing_s) if confirmed else unaudited_s + auditing_s
    to_confirm = plan.confirmations_planned - plan.confirmed
    searching_s = sum(_searching_s(standing, trial_s, plan.study.search.seconds) for standing in plan.standings)
    trying_s = searching_s + to_confirm * confirming_s
    trainings = [needed for needed in plan.missing if isinstance(needed.recipe, TrainedModel)]
    seconds = len(trainings) * training_s / trainers + trying_s / triers
    return Estimate(seconds, trainers, triers, spots, reason, training_s)


def _auditing_s(study: Study, training_s: float) -> float:
    """Return how long audits that train a model further take with it; there are none where no recipe trains models.

    Args:
        training_s: of a whole training.
    """
    if not isinstance(study.training, Recipe):
        return 0.0
    return training_s * sum(audit.training_epochs for audit in study.audits) / study.training.epochs


def _searching_s(standing: Standing, trial_s: float, budget_s: float | None) -> float:
    """Return how long the rest of a search takes, which a budget of seconds may end."""
    left_s = standing.left * trial_s
    if budget_s is None:
        return left_s
    return min(left_s, max(0.0, budget_s - sum(row.seconds_total for row in standing.rows)))


def _resources_of_trials(plan: Plan, store: Store, node_types: Sequence[NodeType]) -> tuple[Resources, str]:
    """Return the resources of a trial, and where it comes from."""
    asked = plan.study.resources.trial
    if asked != "auto":
        return asked, "from the study file"
    on_gpu = packs_gpus(plan.study)
    rows = {
        node_type: known(store, plan.method_searches, node_type)
        for node_type in node_types
        if node_type.gpus or not on_gpu
    }
    found = {node_type: row for node_type, row in rows.items() if row is not None}
    if not rows or len(found) < len(rows):
        return Resources(
            gpu=float(on_gpu)
        ), "auto: measured when the search begins; until then counted as one a GPU, or one a core"
    reasons = "; ".join(f"{node_type.title}: {row.reason}" for node_type, row in found.items())
    return resources_for({node_type: row.workers for node_type, row in found.items()}, on_gpu), f"auto: {reasons}"


def _seconds_per_image(plan: Plan) -> float:
    """Train a few batches of the first scenario on this machine, of the usual size where no recipe says of which."""
    scenario: Scenario = plan.method_searches[0].scenario
    data = next(data for data in plan.shared if data.content_hash == scenario.data_hash)
    device = claim_device(plan.study.resources.training)
    usual = Recipe(precision=scenario.recipe.precision)
    recipe = (scenario.recipe if isinstance(scenario.recipe, Recipe) else usual).model_copy(update={"epochs": 1})
    count = min(len(data.train), PROBE_BATCHES * recipe.batch_size)
    training = Training(
        scenario.network.build(scenario.channels, scenario.classes, seed=0).to(device),
        data.train.images_NCHW[:count].to(device),
        data.train.labels_N[:count],
        torch.arange(count),
        recipe=recipe,
        augmentation=AUGMENTATIONS[scenario.augmentation],
        seed=0,
    )
    training.advance()
    started = time.perf_counter()
    training.advance()
    return (time.perf_counter() - started) / count
