"""A model that has unlearned: what a method at one setting makes of a model that has seen the forget set."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from torch import Tensor

from lethe.artifacts._recipe import ArtifactRecipe, Product, TrainingDivergedError, Workshop
from lethe.artifacts.kinds._model import Model, accuracies, weights_of
from lethe.artifacts.kinds._requirements import REQUIRED, read_requirement
from lethe.artifacts.kinds._trained_model import original
from lethe.study import Partition, Scenario, method_versions
from unlearning.data import ImageData, SplitName
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine, placed
from unlearning.images import Images
from unlearning.methods import ForgetTask, HeldOut, Method, UnlearningContext
from unlearning.trial import EpochResult, Logits, unlearn


@dataclass(frozen=True, eq=False)
class UnlearnedModel(Model):
    """What a method makes of a model; of the same model, setting and seed it makes the same.

    Attributes:
        start: the model that has seen the forget set: trained here, given by the user, or one that has unlearned an
            earlier request.
        scenario: whose data, augmentation and precision the method works with.
        parts: what is forgotten and what is kept; images of earlier requests are in neither.
        seed: the training seed that the method's draws follow from.
        method: with its setting.
        stop_after: the epoch to end with; None: the method's last.
        rewinds: whether the run returns to an epoch by itself.
    """

    kind = "unlearned_model"
    version = 1

    start: Model
    scenario: Scenario
    parts: Partition
    seed: int
    method: Method
    stop_after: int | None = None
    rewinds: bool = False

    @property
    def inputs(self) -> Mapping[str, object]:
        """The method with its setting and version, what is forgotten and kept, and what the images go through."""
        scenario = self.scenario
        return {
            "data": scenario.data_hash,
            "augmentation": scenario.augmentation,
            "augmentation_version": AUGMENTATIONS[scenario.augmentation].version,
            "precision": scenario.recipe.precision,
            "forgotten": self.parts.forgotten.hash,
            "retained": self.parts.retained.hash,
            "method": self.method.model_dump(mode="json"),
            "method_versions": method_versions(type(self.method)),
            "stop_after": self.stop_after,
            "rewinds": self.rewinds,
            "unlearning_seed": scenario.unlearning_seed(self.seed),
        }

    @property
    def requires(self) -> Mapping[str, ArtifactRecipe]:
        """The model that it was made from, and what the setting needs beside it."""
        return {"start": self.start, **self.beside}

    @property
    def beside(self) -> Mapping[str, ArtifactRecipe]:
        """What the setting needs beside the model that it was made from, by the names of `unlearning.requirements`."""
        return {name: REQUIRED[name](self.start, self.parts) for name in self.method.needs}

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Unlearn, an epoch a step; a run that is closed early begins again.

        Raises:
            TrainingDivergedError: the loss or the logits stopped being finite.
        """
        data = workshop.data(self.scenario.data_hash)
        images = {name: placed(getattr(data, name).images_NCHW, workshop.device) for name in get_args(SplitName)}
        context = self._context(workshop, data, images)
        results: list[EpochResult] = []
        for result in unlearn(
            context,
            workshop.load(self.start)["weights"],
            self.method,
            self.scenario.unlearning_seed(self.seed),
            images,
            every_epoch=False,
            stop_after=self.stop_after,
            rewind=self.rewinds,
        ):
            results.append(result)
            yield
        if not results[-1].logits:
            raise TrainingDivergedError(
                f"{self.method.name} diverged in epoch {results[-1].epoch} (loss {results[-1].loss}), "
                f"unlearning from {self.start.kind} {self.start.fingerprint}"
            )
        return self.product(data, weights_of(context.model), results)

    def product(self, data: ImageData, weights: Mapping[str, Tensor], results: Sequence[EpochResult]) -> Product:
        """Return the artifact of a run that ended well, from its last weights and the results of its epochs."""
        logits: Logits = results[-1].logits
        return Product(
            {
                "weights": {name: value.cpu() for name, value in weights.items()},
                "logits": {str(split): values for split, values in logits.items()},
            },
            seconds=sum(result.seconds_unlearn for result in results),
            images=sum(result.images_unlearn for result in results),
            epochs=results[-1].epoch,
            loss=results[-1].loss,
            **accuracies(data, logits, self.parts.forgotten),
        )

    def _context(self, workshop: Workshop, data: ImageData, images: Mapping[SplitName, Images]) -> UnlearningContext:
        model = self.fresh_network(workshop)
        required = {
            name: read_requirement(name, workshop.load(recipe), model, workshop.device)
            for name, recipe in self.beside.items()
        }
        engine = Engine(
            model,
            images["train"],
            augmentation=AUGMENTATIONS[self.scenario.augmentation],
            precision=self.scenario.recipe.precision,
        )
        return UnlearningContext(engine, task_of(self.parts, data), required, HeldOut(images["val"], data.val.labels_N))


def after_requests(
    scenario: Scenario, seed: int, method: Method, *, stop_after: int | None = None, rewinds: bool = False
) -> UnlearnedModel:
    """Return what a method leaves of a training seed's original that meets the requests of a scenario one by one.

    Each unlearning begins with what the one before it left, and takes the images of its own request for D_f.
    """
    earlier = scenario.earlier
    start: Model = (
        original(scenario, seed)
        if earlier is None
        else after_requests(earlier, seed, method, stop_after=stop_after, rewinds=rewinds)
    )
    return UnlearnedModel(start, scenario, scenario.step(seed), seed, method, stop_after, rewinds)


def at_once(
    scenario: Scenario, seed: int, method: Method, *, stop_after: int | None = None, rewinds: bool = False
) -> UnlearnedModel:
    """Return what a method leaves of a training seed's original that is to forget all of a scenario at once."""
    parts = scenario.partition(seed)
    return UnlearnedModel(original(scenario, seed), scenario, parts, seed, method, stop_after, rewinds)


def task_of(parts: Partition, data: ImageData) -> ForgetTask:
    """Return what is to be forgotten, as a method sees it."""
    control_N = parts.control.mask if len(parts.control) else None
    return ForgetTask(data.train.labels_N, parts.forgotten.mask, data.classes, control_N)
