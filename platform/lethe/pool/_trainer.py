"""The worker that makes artefacts: trains originals and oracles, from a checkpoint if there is one, and scores them."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Any, get_args

import torch
from torch import nn

from lethe.cluster import Shelf, Steps, claim_device
from lethe.pool._claims import Claims, holder_here, renewing, waiting_for
from lethe.pool._jobs import TrainingJob
from lethe.pool._manifest import Facts, Manifest
from lethe.pool._store import CorruptArtefactError, Pool, Tensors
from lethe.provenance import Provenance, Stopwatch, reset_peak_memory
from lethe.study import ArtefactKey, Question, Share
from unlearning.data import ImageData, SplitName
from unlearning.data.augment import ARMS
from unlearning.metrics import Predictions, accuracy, unlearning_accuracy
from unlearning.saliency import saliency_scores
from unlearning.seeds import derive
from unlearning.training import Training
from unlearning.trial import Logits

CHECKPOINT_EPOCHS = 5


class DivergedError(Exception):
    """A training whose loss stopped being finite; nothing is kept of it."""


@dataclass(frozen=True)
class Made:
    """An artefact that stands in the pool now.

    Attributes:
        new: made here, rather than found.
        set_aside: where a broken one was moved to first.
    """

    key: ArtefactKey
    question: Question
    seed: int
    manifest: Manifest
    new: bool
    set_aside: str | None


class Trainer:
    """Gets or makes the artefacts of training jobs, one job at a time."""

    def __init__(self, pool: Pool, datasets: Shelf, claims: Claims, share: Share) -> None:
        self._pool = pool
        self._datasets = datasets
        self._claims = claims
        self._share = share
        self._device = claim_device(share)
        self._holder = holder_here()

    def __call__(self, job: TrainingJob) -> Steps[list[Made]]:
        """Get or make the model of a job and its saliency scores; a step is an epoch.

        Closed in between, it leaves a checkpoint.

        Raises:
            DivergedError: the training's loss stopped being finite.
        """
        made = yield from self._get_or_make(job.key, job.question, job.seed)
        scores = []
        for key, question in job.saliencies:
            scores.append((yield from self._get_or_make(key, question, job.seed)))
        return [made, *scores]

    def _get_or_make(self, key: ArtefactKey, question: Question, seed: int) -> Steps[Made]:
        yield from waiting_for(self._claims, key.fingerprint, self._holder)
        with renewing(self._claims, key.fingerprint, self._holder):
            moved = None
            try:
                manifest = self._pool.verify(key)
            except CorruptArtefactError:
                manifest, moved = None, self._pool.set_aside(key)
            if manifest is not None:
                return Made(key, question, seed, manifest, new=False, set_aside=None)
            reset_peak_memory(self._device)
            if key.kind == "saliency":
                files, facts = self._score(question, seed)
            else:
                files, facts = yield from self._train(key, question, seed)
            manifest = self._pool.save(key, files, facts)
            return Made(key, question, seed, manifest, new=True, set_aside=moved)

    def _train(self, key: ArtefactKey, question: Question, seed: int) -> Steps[tuple[dict[str, Tensors], Facts]]:
        stopwatch = Stopwatch()
        data = self._datasets[question.data_hash]
        training = self._training(key, question, seed, data)
        yield from self._finish(key, training)
        images = {name: getattr(data, name).images_NCHW.to(self._device) for name in get_args(SplitName)}
        logits = {name: training.engine.predict(split) for name, split in images.items()}
        facts = Facts(
            seconds_train=training.seconds,
            seconds_total=stopwatch.seconds,
            epochs=training.epoch,
            loss=training.loss,
            **_accuracies(question, key, data, logits),
            **self._provenance(stopwatch),
        )
        weights = {name: value.detach().cpu() for name, value in training.model.state_dict().items()}
        return {"weights": weights, "logits": logits}, facts

    def _training(self, key: ArtefactKey, question: Question, seed: int, data: ImageData) -> Training:
        training_seed = question.training_seed(seed)
        indices = question.forget.retain_R if key.kind == "oracle" else torch.arange(question.train_count)
        training = Training(
            self._fresh_model(question, training_seed),
            data.train.images_NCHW.to(self._device),
            data.train.labels_N,
            indices,
            recipe=question.recipe,
            arm=ARMS[question.arm],
            seed=training_seed,
        )
        checkpoint = self._pool.checkpoint(key)
        if checkpoint is not None:
            try:
                training.restore(checkpoint)
            except ValueError:
                self._pool.drop_checkpoint(key)
        return training

    def _finish(self, key: ArtefactKey, training: Training) -> Steps[None]:
        recipe = training.recipe
        kept = training.epoch
        while training.epoch < recipe.epochs:
            training.advance()
            if not math.isfinite(training.loss):
                raise DivergedError(
                    f"the {key.kind} {key.fingerprint} diverged in epoch {training.epoch} (loss {training.loss}): "
                    f"lower training.lr ({recipe.lr:g})"
                )
            if training.epoch % CHECKPOINT_EPOCHS == 0 and training.epoch < recipe.epochs:
                self._pool.save_checkpoint(key, training.checkpoint())
                kept = training.epoch
            try:
                yield
            except GeneratorExit:
                if kept < training.epoch:
                    self._pool.save_checkpoint(key, training.checkpoint())
                raise

    def _score(self, question: Question, seed: int) -> tuple[dict[str, Tensors], Facts]:
        stopwatch = Stopwatch()
        original = self._pool.load(question.original(seed))
        if original is None:
            raise FileNotFoundError(f"no original {question.original(seed).fingerprint} to take saliency scores from")
        model = self._fresh_model(question, seed=0)
        model.load_state_dict(original.files["weights"])
        train = self._datasets[question.data_hash].train
        forget_F = question.forget.indices_F
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

    def _fresh_model(self, question: Question, seed: int) -> nn.Sequential:
        model = question.network.build(question.channels, question.classes, derive(seed, "weights"))
        return model.to(self._device)

    def _provenance(self, stopwatch: Stopwatch) -> dict[str, Any]:
        times = {"started_at": stopwatch.started_at, "ended_at": stopwatch.ended_at}
        return times | asdict(Provenance.here(self._device, self._share.cpu, self._share.gpu))


def _accuracies(question: Question, key: ArtefactKey, data: ImageData, logits: Logits) -> dict[str, float | None]:
    """Measure a new model; an original has no UA, since it serves every forget request."""
    forget = Predictions(logits["train"], data.train.labels_N).at(question.forget.indices_F)
    return {
        "ua": unlearning_accuracy(forget) if key.kind == "oracle" else None,
        "va": accuracy(Predictions(logits["val"], data.val.labels_N)),
        "ta": accuracy(Predictions(logits["test"], data.test.labels_N)),
    }
