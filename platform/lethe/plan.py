"""The plan of a study: what exists already, what must still run, and about how long that takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from lethe.cluster import claim_device
from lethe.confirm import Confirmation, compare, confirmations
from lethe.pool import CorruptArtefactError, Pool, TrainingJob, jobs_for
from lethe.results import ArtifactRow, ConfirmationRow, Store, TrialRow, to_rows
from lethe.study import Cell, Question, Study, expand
from unlearning.data import ImageData, load
from unlearning.data.augment import ARMS
from unlearning.training import Training

PROBE_BATCHES = 4


@dataclass(frozen=True)
class Plan:
    """A study held against its results place.

    Attributes:
        missing: trainings of which some artefact is not in the pool, or is broken.
        broken: what is wrong with broken artefacts, one sentence each.
        trials: those that ended already.
        unconfirmed: rows of the table that are still to be confirmed, as far as the choice is known.
        outdated: confirmed rows, with the cost of a search that has grown since and chose the same.
    """

    study: Study
    datasets: tuple[ImageData, ...]
    cells: tuple[Cell, ...]
    jobs: tuple[TrainingJob, ...]
    missing: tuple[TrainingJob, ...]
    broken: tuple[str, ...]
    trials: tuple[TrialRow, ...]
    unconfirmed: tuple[Confirmation, ...]
    outdated: tuple[ConfirmationRow, ...]

    @property
    def trials_planned(self) -> int:
        """Count the trials of all cells."""
        return sum(cell.trials for cell in self.cells)

    @property
    def trials_left(self) -> int:
        """Count the trials that have not ended."""
        done = [sum(row.cell == cell.fingerprint for row in self.trials) for cell in self.cells]
        return sum(max(0, cell.trials - count) for cell, count in zip(self.cells, done, strict=True))

    @property
    def complete(self) -> bool:
        """Tell whether nothing is left to do."""
        return not (self.missing or self.trials_left or self.unconfirmed or self.outdated)


def make_plan(study: Study, pool: Pool, store: Store) -> Plan:
    """Load a study's data, spread it out, and look up what exists.

    Raises:
        DataError: the data cannot be had, or a forget request does not fit it.
    """
    datasets = {source: load(source) for source in dict.fromkeys(study.data)}
    cells = expand(study, datasets)
    jobs = [*jobs_for(cells, study.seeds.tuning), *jobs_for(cells, study.seeds.reporting)]
    missing, broken = _missing(pool, jobs)
    wanted = {cell.fingerprint for cell in cells}
    trials = [row for row in to_rows(store.read("trials", study.name), TrialRow) if row.cell in wanted]
    confirmed = to_rows(store.read("confirmations", study.name), ConfirmationRow)
    missing_rows, outdated = compare(confirmations(cells, trials), confirmed)
    return Plan(
        study,
        tuple(datasets.values()),
        tuple(cells),
        tuple(jobs),
        tuple(missing),
        tuple(broken),
        tuple(trials),
        tuple(missing_rows),
        tuple(outdated),
    )


def _missing(pool: Pool, jobs: Sequence[TrainingJob]) -> tuple[list[TrainingJob], list[str]]:
    missing, broken = [], []
    for job in jobs:
        absent = False
        for key in job.keys:
            try:
                absent |= pool.verify(key) is None
            except CorruptArtefactError as error:
                broken.append(f"broken {key.kind}: {error}; it will be set aside and made again")
                absent = True
        if absent:
            missing.append(job)
    return missing, broken


def estimate_s(plan: Plan, store: Store, training_workers: int, trial_workers: int) -> float:
    """Estimate the seconds that a plan takes: from what the study's units took so far, else from a short probe here."""
    study = plan.study.name
    trained = [row.seconds_total for row in to_rows(store.read("artifacts", study), ArtifactRow) if row.epochs]
    tried = [row.seconds_total for row in plan.trials if row.seconds_total]
    confirmed = [row.seconds_total for row in to_rows(store.read("confirmations", study), ConfirmationRow)]
    per_image = None if trained and tried else _seconds_per_image(plan)
    training_s = fmean(trained) if trained else _training_images(plan) * (per_image or 0.0)
    trial_s = fmean(tried) if tried else _trial_images(plan) * (per_image or 0.0)
    confirming_s = fmean(confirmed) if confirmed else trial_s / len(plan.study.seeds.tuning)
    rows = len(plan.unconfirmed) if plan.trials_left == 0 else _rows_planned(plan)
    return (
        len(plan.missing) * training_s / training_workers
        + (plan.trials_left * trial_s + rows * confirming_s) / trial_workers
    )


def _rows_planned(plan: Plan) -> int:
    """Count the rows that methods and their controls will have, on every reporting seed."""
    rows = sum(1 + 2 * cell.choice.method.uses_saliency for cell in plan.cells)
    return rows * len(plan.study.seeds.reporting)


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
