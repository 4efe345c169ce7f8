"""A worker's trial context: what unlearning runs start from and are compared with, loaded once and kept warm.

A trial context belongs to a scenario and a training seed: the model on the device, the original's weights, the ranked
scores of saliency, and the measurements of original and oracle. Benches that were used lately are kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from lethe.artifacts import Artifact, ArtifactStore, CorruptArtifactError
from lethe.execution.device import claim_device
from lethe.execution.shared_data import SharedData
from lethe.results.provenance import Provenance
from lethe.storage.root import StorageError
from lethe.study import ArtifactKey, Resources, Scenario
from unlearning.data import ImageData, SplitName
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine
from unlearning.evaluation import Evaluator, Measures
from unlearning.methods import ForgetTask, Method, UnlearningContext
from unlearning.metrics import Evaluation
from unlearning.saliency import Saliency
from unlearning.trial import EpochResult, Logits, unlearn

KEPT_CONTEXTS = 8
KEPT_DATASETS = 2

_ADVICE = "It was whole when the run began. The same command makes it again and goes on."


class MissingArtifactError(StorageError):
    """An artifact that a run starts from is not in the pool, or not whole, since the run was planned."""


@dataclass(frozen=True)
class TrialContext:
    """What the runs of one scenario on one training seed share.

    Attributes:
        subject: without saliency scores, which are loaded for the first setting that needs them.
        weights: of the original, on the device.
        original_logits, oracle_logits: of all three splits.
        seconds_retrain: what training the oracle took.
        images_retrain: passes of a training image through the network, forward and backward, that training the oracle
            took: its epochs x |D_r|.
        load: gets an artifact from the pool.
    """

    scenario: Scenario
    seed: int
    data: ImageData
    images: Mapping[SplitName, Tensor]
    context: UnlearningContext
    weights: Mapping[str, Tensor]
    original_logits: Logits
    oracle_logits: Logits
    seconds_retrain: float
    images_retrain: int
    load: Callable[[ArtifactKey], Artifact]

    @cached_property
    def evaluator(self) -> Evaluator:
        """What the models of this trial context are measured on."""
        return Evaluator(self.data, self.scenario.forget, self.scenario.unlearning_seed(self.seed))

    @cached_property
    def original(self) -> Measures:
        """What a search sees of the original."""
        return self.evaluator.measure(self.original_logits)[0]

    @cached_property
    def oracle(self) -> Measures:
        """What a search sees of the oracle."""
        return self.evaluator.measure(self.oracle_logits)[0]

    @cached_property
    def oracle_evaluation(self) -> Evaluation:
        """The oracle, ready for every metric; what was computed of it is kept."""
        return self.evaluator.evaluation(self.oracle_logits)

    def unlearn(self, method: Method, splits: tuple[SplitName, ...], *, every_epoch: bool) -> Iterator[EpochResult]:
        """Run a method from the original; evaluate it on these splits."""
        images = {split: self.images[split] for split in splits}
        seed = self.scenario.unlearning_seed(self.seed)
        context = replace(self.context, saliency=self._saliency_for(method))
        return unlearn(context, self.weights, method, seed, images, every_epoch=every_epoch)

    def threshold(self, method: Method) -> float | None:
        """Give gamma, the saliency score below which a setting freezes a weight; None where no score decides."""
        return method.threshold(self._saliency_for(method))

    def seconds_saliency(self, method: Method) -> float:
        """Give the seconds that a setting's scores took; 0 where it needs none."""
        return self._scores.manifest.facts.seconds_train if method.needs_saliency else 0.0

    def images_saliency(self, method: Method) -> int:
        """Count the training images that a setting's scores took: D_f once; 0 where it needs none."""
        return len(self.scenario.forget.indices_F) if method.needs_saliency else 0

    def _saliency_for(self, method: Method) -> Saliency | None:
        return self._saliency if method.needs_saliency else None

    @cached_property
    def _scores(self) -> Artifact:
        return self.load(self.scenario.saliency(self.seed))

    @cached_property
    def _saliency(self) -> Saliency:
        scores = self._scores.files["scores"]
        return Saliency({name: scores[name].to(value.device) for name, value in self.context.model.named_parameters()})


class TrialContexts:
    """The trial contexts of one worker.

    Args:
        resources: what the worker was given of the machine; says which device it computes on.
    """

    def __init__(self, artifacts: ArtifactStore, shared_data: SharedData, resources: Resources) -> None:
        self._artifacts = artifacts
        self._resourcesd_data = shared_data
        self._resources = resources
        self.device = claim_device(resources)
        self._contexts: OrderedDict[tuple[str, int], TrialContext] = OrderedDict()
        self._images: OrderedDict[str, dict[SplitName, Tensor]] = OrderedDict()

    @property
    def provenance(self) -> Provenance:
        """Where this worker works, and what it holds of the machine."""
        return Provenance.here(self.device, self._resources.cpu, self._resources.gpu)

    def trial_context(self, scenario: Scenario, seed: int) -> TrialContext:
        """Give the trial context of a scenario and a training seed.

        Raises:
            MissingArtifactError: an artifact is not in the pool, or its bytes are not what its manifest promises.
        """
        name = (scenario.fingerprint, seed)
        if name not in self._contexts:
            while len(self._contexts) >= KEPT_CONTEXTS:
                self._contexts.popitem(last=False)
            self._contexts[name] = self._set_up(scenario, seed)
        self._contexts.move_to_end(name)
        return self._contexts[name]

    def _set_up(self, scenario: Scenario, seed: int) -> TrialContext:
        data = self._resourcesd_data[scenario.data_hash]
        original = self._load(scenario.original(seed))
        oracle = self._load(scenario.oracle(seed))
        images = self._on_device(data)
        model = scenario.network.build(scenario.channels, scenario.classes, seed=0).to(self.device)
        forget_N = torch.zeros(scenario.train_count, dtype=torch.bool)
        forget_N[scenario.forget.indices_F] = True
        return TrialContext(
            scenario=scenario,
            seed=seed,
            data=data,
            images=images,
            context=UnlearningContext(
                engine=Engine(
                    model,
                    images["train"],
                    augmentation=AUGMENTATIONS[scenario.augmentation],
                    precision=scenario.recipe.precision,
                ),
                task=ForgetTask(data.train.labels_N, forget_N, data.classes),
                saliency=None,
            ),
            weights={name: value.to(self.device) for name, value in original.files["weights"].items()},
            original_logits=logits_of(original),
            oracle_logits=logits_of(oracle),
            seconds_retrain=oracle.manifest.facts.seconds_train,
            images_retrain=(oracle.manifest.facts.epochs or 0) * len(scenario.forget.retain_R),
            load=self._load,
        )

    def _load(self, key: ArtifactKey) -> Artifact:
        try:
            artifact = self._artifacts.load(key)
        except CorruptArtifactError as error:
            raise MissingArtifactError(f"{error}\n{_ADVICE}") from error
        if artifact is None:
            raise MissingArtifactError(f"the {key.kind} {self._artifacts.uri(key)} is gone\n{_ADVICE}")
        return artifact

    def _on_device(self, data: ImageData) -> Mapping[SplitName, Tensor]:
        name = data.content_hash
        if name not in self._images:
            while len(self._images) >= KEPT_DATASETS:
                self._images.popitem(last=False)
            splits = {"train": data.train, "val": data.val, "test": data.test}
            self._images[name] = {
                cast(SplitName, split): images.images_NCHW.to(self.device) for split, images in splits.items()
            }
        self._images.move_to_end(name)
        return self._images[name]


def logits_of(model: Artifact) -> Logits:
    """Give the logits that a model's artifact keeps, by split."""
    return cast(Logits, model.files["logits"])
