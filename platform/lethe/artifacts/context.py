"""A worker's trial context: what unlearning runs start from and are compared with, loaded once and kept warm.

A trial context belongs to a scenario and a training seed: the model on the device, the original's weights, what methods
require, and the measurements of original and oracle. Contexts that were used lately are kept, and so are the
evaluations of other trained models, which audits ask for.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

from torch import Tensor

from lethe.artifacts import (
    Artifact,
    ArtifactKey,
    ArtifactRecipe,
    ArtifactStore,
    CorruptArtifactError,
    Facts,
    Manifest,
    Model,
    Product,
    UnlearnedModel,
    facts_of,
    oracle,
    original,
    read_requirement,
    requirement,
    task_of,
)
from lethe.execution.device import claim_device
from lethe.execution.shared_data import SharedData
from lethe.results.provenance import Provenance, Stopwatch
from lethe.storage.root import StorageError
from lethe.study import Partition, Resources, Scenario
from unlearning.audits import AuditNetwork
from unlearning.data import ImageData, SplitName
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine, placed
from unlearning.evaluation import Evaluator, Measures
from unlearning.images import Images
from unlearning.in_step import RunsInStep
from unlearning.methods import HeldOut, Method, UnlearningContext
from unlearning.metrics import Evaluation
from unlearning.trial import EpochResult, Logits, Losses, unlearn

Worker = TypeVar("Worker")

KEPT_CONTEXTS = 8
KEPT_DATASETS = 2
KEPT_MODELS = 32

_ADVICE = "The same command makes it again and goes on."


class MissingArtifactError(StorageError):
    """An artifact that a run starts from is no longer in the store, or its bytes have changed."""


@dataclass(frozen=True)
class TrialContext:
    """What the runs of one scenario on one training seed share.

    Attributes:
        context: without what methods require, which is loaded for the first setting that needs it.
        weights: of the original, on the device.
        original_logits, oracle_logits: of all three splits; the oracle's None where the recipe is not known, as are the
            next two.
        seconds_retrain: what training the oracle took.
        images_retrain: passes of a training image through the network, forward and backward, that training the oracle
            took: its epochs x |D_r|; None: a training function of the user's did not say.
        training_repeats: whether a training function of the user's repeats by its seed; None: it is a recipe, or no
            model showed it.
        load: gets an artifact from the store.
    """

    scenario: Scenario
    seed: int
    data: ImageData
    images: Mapping[SplitName, Images]
    context: UnlearningContext
    weights: Mapping[str, Tensor]
    original_logits: Logits
    oracle_logits: Logits | None
    seconds_retrain: float | None
    images_retrain: int | None
    training_repeats: bool | None
    load: Callable[[ArtifactRecipe], Artifact]
    _required: dict[str, tuple[Artifact, Any]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def evaluator(self) -> Evaluator:
        """What the models of this trial context are measured on."""
        return evaluator_of(self.scenario, self.scenario.partition(self.seed), self.seed, self.data)

    @cached_property
    def original(self) -> Measures:
        """The original's measures that a search uses."""
        return self.evaluator.measure(self.original_logits)[0]

    @cached_property
    def oracle(self) -> Measures:
        """The oracle's measures that a search uses; there is no search without an oracle."""
        assert self.oracle_logits is not None
        return self.evaluator.measure(self.oracle_logits)[0]

    @cached_property
    def original_evaluation(self) -> Evaluation:
        """The original, ready for every metric; what was computed of it is kept."""
        return self.evaluator.evaluation(self.original_logits)

    @cached_property
    def oracle_evaluation(self) -> Evaluation | None:
        """The oracle, ready for every metric; what was computed of it is kept. None where there is none."""
        return None if self.oracle_logits is None else self.evaluator.evaluation(self.oracle_logits)

    def unlearn(
        self,
        method: Method,
        splits: tuple[SplitName, ...],
        *,
        also_after: Collection[int] = (),
        stop_after: int | None = None,
        rewind: bool = False,
        losses: Losses | None = None,
    ) -> Iterator[EpochResult]:
        """Run a method from the original; evaluate these splits last, and where asked (`unlearning.trial.unlearn`)."""
        images = {split: self.images[split] for split in splits}
        seed = self.scenario.unlearning_seed(self.seed)
        context = replace(self.context, required=self.required(method))
        return unlearn(
            context,
            self.weights,
            method,
            seed,
            images,
            every_epoch=False,
            also_after=also_after,
            stop_after=stop_after,
            rewind=rewind,
            losses=losses,
        )

    def network(self, read: Callable[[], Mapping[str, Tensor]]) -> AuditNetwork:
        """Return a network of the scenario for audits, with weights that are read when they are needed."""
        return AuditNetwork(self.context.engine, self.images, self.scenario.recipe, read)

    def threshold(self, method: Method, model: UnlearnedModel | None = None) -> float | None:
        """Return gamma, the saliency score below which a setting freezes a weight; None where no score decides.

        Args:
            model: made by the method; None: by unlearning from the original, here.
        """
        return method.threshold(self.required(method) if model is None else self._required_by(model))

    def required(self, method: Method) -> dict[str, Any]:
        """Return what a setting needs beside the original, by name; it is loaded once."""
        return {name: self._requirement(name)[1] for name in method.needs}

    def seconds_required(self, method: Method) -> dict[str, float]:
        """Return the seconds that making each thing that a setting needs took, by name."""
        return {name: self._requirement(name)[0].manifest.facts.seconds_train for name in method.needs}

    def images_required(self, method: Method) -> int:
        """Count the passes of a training image, forward and backward, that making what a setting needs took."""
        counts = [self._requirement(name)[0].manifest.facts.images_trained for name in method.needs]
        return sum(count for count in counts if count is not None)  # None is of models alone, and this is of none

    def _required_by(self, model: UnlearnedModel) -> dict[str, Any]:
        network, device = self.context.model, self.context.engine.device
        return {
            name: read_requirement(name, self.load(recipe).files, network, device)
            for name, recipe in model.beside.items()
        }

    def _requirement(self, name: str) -> tuple[Artifact, Any]:
        if name not in self._required:
            artifact = self.load(requirement(name, self.scenario, self.seed))
            context = self.context
            read = read_requirement(name, artifact.files, context.model, context.engine.device)
            self._required[name] = (artifact, read)
        return self._required[name]


class TrialContexts:
    """The trial contexts of one worker.

    Args:
        resources: those of the worker; they decide which device it computes on.
    """

    def __init__(self, artifacts: ArtifactStore, shared_data: SharedData, resources: Resources) -> None:
        self._artifacts = artifacts
        self._shared_data = shared_data
        self._resources = resources
        self.device = claim_device(resources)
        self._contexts: OrderedDict[tuple[str, int], TrialContext] = OrderedDict()
        self._images: OrderedDict[str, dict[SplitName, Images]] = OrderedDict()
        self._models: OrderedDict[tuple[str, str, ArtifactKey], Evaluation] = OrderedDict()
        self._in_step: RunsInStep | None = None

    @property
    def provenance(self) -> Provenance:
        """The machine, device and resources of this worker."""
        return Provenance.here(self.device, self._resources.cpu, self._resources.gpu)

    def trial_context(self, scenario: Scenario, seed: int) -> TrialContext:
        """Return the trial context of a scenario and a training seed.

        Raises:
            MissingArtifactError: an artifact is not in the store, or its bytes are not what its manifest promises; it
                is moved to quarantine then.
        """
        name = (scenario.fingerprint, seed)
        if name not in self._contexts:
            while len(self._contexts) >= KEPT_CONTEXTS:
                self._contexts.popitem(last=False)
            self._contexts[name] = self._set_up(scenario, seed)
        self._contexts.move_to_end(name)
        return self._contexts[name]

    def in_step(self, trial_contexts: Sequence[TrialContext]) -> RunsInStep:
        """Return slots for runs of these trial contexts in step; those of the last call, where it was for the same.

        Raises:
            NotGroupedError: the networks cannot be computed side by side.
        """
        contexts = [one.context for one in trial_contexts]
        last = self._in_step
        if last is None or [id(one) for one in last.fused.engines] != [id(one.engine) for one in contexts]:
            self._in_step = last = RunsInStep(contexts)
        return last

    def evaluation_of(self, model: Model, audited: int) -> Evaluation:
        """Return an original or oracle, evaluated on the images of its scenario; only its logits are read.

        Args:
            audited: the training seed whose forget set counts; the model's own may be another.

        Raises:
            MissingArtifactError: as `trial_context`.
        """
        scenario = model.scenario
        parts = scenario.partition(audited)
        name = (scenario.fingerprint, parts.forgotten.hash, model.key)
        if name not in self._models:
            while len(self._models) >= KEPT_MODELS:
                self._models.popitem(last=False)
            data = self._shared_data[scenario.data_hash]
            evaluator = evaluator_of(scenario, parts, model.seed, data)
            self._models[name] = evaluator.evaluation(logits_of(self._load(model, frozenset({"logits"}))))
        self._models.move_to_end(name)
        return self._models[name]

    def logits_of(self, model: Model) -> Logits:
        """Read the logits of a model on all three splits.

        Raises:
            MissingArtifactError: as `trial_context`.
        """
        return logits_of(self._load(model, frozenset({"logits"})))

    def facts_of(self, recipe: ArtifactRecipe) -> Facts:
        """Read what is noted of an artifact, such as a model's time and what it was trained on.

        Raises:
            MissingArtifactError: as `trial_context`.
        """
        return self._load(recipe, frozenset()).manifest.facts

    def weights_of(self, model: Model) -> Mapping[str, Tensor]:
        """Read the state dict of a model, and nothing else of it.

        Raises:
            MissingArtifactError: as `trial_context`.
        """
        return self._load(model, frozenset({"weights"})).files["weights"]

    def keep(self, recipe: ArtifactRecipe, product: Product, stopwatch: Stopwatch) -> Manifest:
        """Save an artifact that was made on this worker's device.

        Args:
            stopwatch: started when the work on it began.

        Raises:
            StorageError: it could not be written.
        """
        return self._artifacts.save(recipe, product.files, facts_of(product, stopwatch, self.provenance))

    def _set_up(self, scenario: Scenario, seed: int) -> TrialContext:
        data = self._shared_data[scenario.data_hash]
        trained = self._load(original(scenario, seed))
        retrained = self._load(oracle(scenario, seed)) if scenario.has_oracles else None
        facts = [one.manifest.facts for one in (trained, retrained) if one is not None]
        images = self._on_device(data)
        model = scenario.network.build(scenario.channels, scenario.classes, seed=0).to(self.device)
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
                task=task_of(scenario.partition(seed), data),
                held_out=HeldOut(images["val"], data.val.labels_N),
            ),
            weights={name: value.to(self.device) for name, value in trained.files["weights"].items()},
            original_logits=logits_of(trained),
            oracle_logits=logits_of(retrained) if retrained else None,
            seconds_retrain=retrained.manifest.facts.seconds_train if retrained else None,
            images_retrain=retrained.manifest.facts.images_trained if retrained else None,
            training_repeats=_all_known(one.repeats for one in facts),
            load=self._load,
        )

    def _load(self, recipe: ArtifactRecipe, files: frozenset[str] | None = None) -> Artifact:
        """Read an artifact; a broken one is moved to quarantine, so that it is made again.

        Of several workers that find it broken at once, one moves it.

        Args:
            files: names of the files to read; None for all.
        """
        key, moved = recipe.key, ""
        try:
            artifact = self._artifacts.load(key, files)
        except CorruptArtifactError as error:
            with suppress(StorageError):
                moved = f"It was moved to {self._artifacts.quarantine(key)}. "
            raise MissingArtifactError(f"{error}\n{moved}{_ADVICE}") from error
        if artifact is None:
            raise MissingArtifactError(f"the {key.kind} {self._artifacts.uri(key)} is gone\n{_ADVICE}")
        return artifact

    def _on_device(self, data: ImageData) -> Mapping[SplitName, Images]:
        name = data.content_hash
        if name not in self._images:
            while len(self._images) >= KEPT_DATASETS:
                self._images.popitem(last=False)
            splits = {"train": data.train, "val": data.val, "test": data.test}
            self._images[name] = {
                cast(SplitName, split): placed(images.images_NCHW, self.device) for split, images in splits.items()
            }
        self._images.move_to_end(name)
        return self._images[name]


def evaluator_of(scenario: Scenario, parts: Partition, seed: int, data: ImageData) -> Evaluator:
    """Return what the models of a training seed are measured on, by the parts of train of that seed or of another."""
    return Evaluator(data, parts.forget, scenario.unlearning_seed(seed), scenario.attack_classes)


def logits_of(model: Artifact) -> Logits:
    """Return the logits that a model's artifact keeps, by split."""
    return cast(Logits, model.files["logits"])


def with_contexts(
    worker: Callable[[TrialContexts], Worker], artifacts: ArtifactStore, shared_data: SharedData, resources: Resources
) -> Worker:
    """Make a worker, in the process that it will run in.

    Kept here because that process imports the module of what it is sent: the pipeline's would import the search, too.
    """
    return worker(TrialContexts(artifacts, shared_data, resources))


def _all_known(values: Iterable[bool | None]) -> bool | None:
    """Return whether all values that are known are true; None where none is."""
    known = [value for value in values if value is not None]
    return all(known) if known else None
