"""The worker that makes artifacts: trains originals and oracles, from a checkpoint if there is one, and scores them."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Any, get_args

import torch
from torch import nn

from lethe.artifacts._claims import Claims, holder_here, renewing, waiting_for
from lethe.artifacts._jobs import TrainingJob
from lethe.artifacts._manifest import Facts, Manifest
from lethe.artifacts._store import ArtifactStore, CorruptArtifactError, Tensors
from lethe.errors import LetheError
from lethe.execution.device import claim_device
from lethe.execution.shared_data import SharedData
from lethe.execution.worker_pool import Steps
from lethe.results.provenance import Provenance, Stopwatch, reset_peak_memory
from lethe.study import ArtifactKey, Resources, Scenario
from unlearning.data import ImageData, SplitName
from unlearning.data.augment import AUGMENTATIONS
from unlearning.metrics import Predictions, accuracy, unlearning_accuracy
from unlearning.saliency import saliency_scores
from unlearning.seeds import derive
from unlearning.training import Training
from unlearning.trial import Logits

CHECKPOINT_EPOCHS = 5


class TrainingDivergedError(LetheError):
    """A training whose loss stopped being finite; nothing is kept of it."""


@dataclass(frozen=True)
class Made:
    """An artifact that stands in the pool now.

    Attributes:
        new: made here, rather than found.
        set_aside: where a broken one was moved to first.
    """

    key: ArtifactKey
    scenario: Scenario
    seed: int
    manifest: Manifest
    new: bool
    quarantine: str | None


class Trainer:
    """Gets or makes the artifacts of training jobs, one job at a time."""

    def __init__(self, artifacts: ArtifactStore, datasets: SharedData, claims: Claims, resources: Resources) -> None:
        self._artifacts = artifacts
        self._datasets = datasets
        self._claims = claims
        self._resources = resources
        self._device = claim_device(resources)
        self._holder = holder_here()

    def __call__(self, job: TrainingJob) -> Steps[list[Made]]:
        """Get or make the model of a job and its saliency scores; a step is an epoch.

        Closed in between, it leaves a checkpoint.

        Raises:
            TrainingDivergedError: the training's loss stopped being finite.
        """
        made = yield from self._get_or_make(job.key, job.scenario, job.seed)
        scores = []
        for key, scenario in job.saliencies:
            scores.append((yield from self._get_or_make(key, scenario, job.seed)))
        return [made, *scores]

    def _get_or_make(self, key: ArtifactKey, scenario: Scenario, seed: int) -> Steps[Made]:
        yield from waiting_for(self._claims, key.fingerprint, self._holder)
        with renewing(self._claims, key.fingerprint, self._holder):
            moved = None
            try:
                manifest = self._artifacts.verify(key)
            except CorruptArtifactError:
                manifest, moved = None, self._artifacts.quarantine(key)
            if manifest is not None:
                return Made(key, scenario, seed, manifest, new=False, quarantine=None)
            reset_peak_memory(self._device)
            if key.kind == "saliency":
                files, facts = self._score(scenario, seed)
            else:
                files, facts = yield from self._train(key, scenario, seed)
            manifest = self._artifacts.save(key, files, facts)
            return Made(key, scenario, seed, manifest, new=True, quarantine=moved)

    def _train(self, key: ArtifactKey, scenario: Scenario, seed: int) -> Steps[tuple[dict[str, Tensors], Facts]]:
        stopwatch = Stopwatch()
        data = self._datasets[scenario.data_hash]
        training = self._training(key, scenario, seed, data)
        yield from self._finish(key, training)
        images = {name: getattr(data, name).images_NCHW.to(self._device) for name in get_args(SplitName)}
        logits = {name: training.engine.predict(split) for name, split in images.items()}
        facts = Facts(
            seconds_train=training.seconds,
            seconds_total=stopwatch.seconds,
            epochs=training.epoch,
            loss=training.loss,
            **_accuracies(scenario, key, data, logits),
            **self._provenance(stopwatch),
        )
        weights = {name: value.detach().cpu() for name, value in training.model.state_dict().items()}
        return {"weights": weights, "logits": logits}, facts

    def _training(self, key: ArtifactKey, scenario: Scenario, seed: int, data: ImageData) -> Training:
        training_seed = scenario.training_seed(seed)
        indices = scenario.forget.retain_R if key.kind == "oracle" else torch.arange(scenario.train_count)
        training = Training(
            self._fresh_model(scenario, training_seed),
            data.train.images_NCHW.to(self._device),
            data.train.labels_N,
            indices,
            recipe=scenario.recipe,
            augmentation=AUGMENTATIONS[scenario.augmentation],
            seed=training_seed,
        )
        checkpoint = self._artifacts.checkpoint(key)
        if checkpoint is not None:
            try:
                training.restore(checkpoint)
            except ValueError:
                self._artifacts.drop_checkpoint(key)
        return training

    def _finish(self, key: ArtifactKey, training: Training) -> Steps[None]:
        recipe = training.recipe
        kept = training.epoch
        while training.epoch < recipe.epochs:
            training.advance()
            if not math.isfinite(training.loss):
                raise TrainingDivergedError(
                    f"the {key.kind} {key.fingerprint} diverged in epoch {training.epoch} (loss {training.loss}): "
                    f"lower training.lr ({recipe.lr:g})"
                )
            if training.epoch % CHECKPOINT_EPOCHS == 0 and training.epoch < recipe.epochs:
                self._artifacts.save_checkpoint(key, training.checkpoint())
                kept = training.epoch
            try:
                yield
            except GeneratorExit:
                if kept < training.epoch:
                    self._artifacts.save_checkpoint(key, training.checkpoint())
                raise

    def _score(self, scenario: Scenario, seed: int) -> tuple[dict[str, Tensors], Facts]:
        stopwatch = Stopwatch()
        original = self._artifacts.load(scenario.original(seed))
        if original is None:
            raise FileNotFoundError(f"no original {scenario.original(seed).fingerprint} to take saliency scores from")
        model = self._fresh_model(scenario, seed=0)
        model.load_state_dict(original.files["weights"])
        train = self._datasets[scenario.data_hash].train
        forget_F = scenario.forget.indices_F
        begun = time.perf_counter()
        scores = saliency_scores(
            model, train.images_NCHW[forget_F].to(self._device), train.labels_N[forget_F].to(self._device)
        )
        facts = Facts(
            seconds_train=time.perf_counter() - begun,
            seconds_total=stopwatch.seconds,
            epochs=0,
            **self._provenance(stopwatch),
        )
        return {"scores": scores}, facts

    def _fresh_model(self, scenario: Scenario, seed: int) -> nn.Sequential:
        model = scenario.network.build(scenario.channels, scenario.classes, derive(seed, "weights"))
        return model.to(self._device)

    def _provenance(self, stopwatch: Stopwatch) -> dict[str, Any]:
        times = {"started_at": stopwatch.started_at, "ended_at": stopwatch.ended_at}
        return times | asdict(Provenance.here(self._device, self._resources.cpu, self._resources.gpu))


def _accuracies(scenario: Scenario, key: ArtifactKey, data: ImageData, logits: Logits) -> dict[str, float | None]:
    """Measure a new model; an original has no UA, since it serves every forget request."""
    forget = Predictions(logits["train"], data.train.labels_N).at(scenario.forget.indices_F)
    return {
        "ua": unlearning_accuracy(forget) if key.kind == "oracle" else None,
        "va": accuracy(Predictions(logits["val"], data.val.labels_N)),
        "ta": accuracy(Predictions(logits["test"], data.test.labels_N)),
    }
