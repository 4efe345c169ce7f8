"""About how long a plan takes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import torch

from lethe.cluster import Room, claim_device, fitting
from lethe.plan import Plan
from lethe.results import ArtifactRow, ConfirmationRow, Store, to_rows
from lethe.study import Question
from unlearning.data.augment import ARMS
from unlearning.training import Training

PROBE_BATCHES = 4


@dataclass(frozen=True)
class Estimate:
    """How long a plan takes on some machine, and with how many workers.

    Attributes:
        seconds: None where the machine holds no worker of some kind.
    """

    seconds: float | None
    training_workers: int
    trial_workers: int


def estimate(plan: Plan, store: Store, resources: Mapping[str, float]) -> Estimate:
    """Estimate from what the study's units took so far, else from a short probe here.

    Args:
        resources: of the machine, such as ``{"CPU": 8, "GPU": 1}``.
    """
    asked = plan.study.resources
    trainers, triers = (fitting(resources, Room.of(share)) for share in (asked.training, asked.trial))
    if asked.workers is not None:
        trainers, triers = min(trainers, asked.workers), min(triers, asked.workers)
    if not (trainers and triers):
        return Estimate(None, trainers, triers)
    study = plan.study.name
    trained = [row.seconds_total for row in to_rows(store.read("artifacts", study), ArtifactRow) if row.epochs]
    tried = [row.seconds_total for row in plan.trials if row.seconds_total]
    confirmed = [row.seconds_total for row in to_rows(store.read("confirmations", study), ConfirmationRow)]
    per_image = 0.0 if trained and tried else _seconds_per_image(plan)
    training_s = fmean(trained) if trained else _training_images(plan) * per_image
    trial_s = fmean(tried) if tried else _trial_images(plan) * per_image
    confirming_s = fmean(confirmed) if confirmed else trial_s / len(plan.study.seeds.tuning)
    to_confirm = plan.confirmations_planned - plan.confirmed
    trying_s = plan.trials_left * trial_s + to_confirm * confirming_s
    return Estimate(len(plan.missing) * training_s / trainers + trying_s / triers, trainers, triers)


def _training_images(plan: Plan) -> float:
    return fmean(cell.question.train_count for cell in plan.cells) * plan.study.training.epochs


def _trial_images(plan: Plan) -> float:
    """Count the images of a trial; evaluating one costs about a third of training on it."""
    per_epoch = fmean(cell.question.train_count for cell in plan.cells) * (1 + 1 / 3)
    epochs = fmean(cell.choice.longest for cell in plan.cells)
    return per_epoch * epochs * len(plan.study.seeds.tuning)


def _seconds_per_image(plan: Plan) -> float:
    """Train a few batches of the first question on this machine."""
    question: Question = plan.cells[0].question
    data = next(data for data in plan.datasets if data.content_hash == question.data_hash)
    device = claim_device(plan.study.resources.training)
    recipe = question.recipe.model_copy(update={"epochs": 1})
    count = min(len(data.train), PROBE_BATCHES * recipe.batch_size)
    training = Training(
        question.network.build(question.channels, question.classes, seed=0).to(device),
        data.train.images_NCHW[:count].to(device),
        data.train.labels_N[:count],
        torch.arange(count),
        recipe=recipe,
        arm=ARMS[question.arm],
        seed=0,
    )
    training.advance()
    started = time.perf_counter()
    training.advance()
    return (time.perf_counter() - started) / count
