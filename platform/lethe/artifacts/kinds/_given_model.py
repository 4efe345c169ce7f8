"""A model that was trained elsewhere: its weights as they were given, and the model that they make of a network."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from torch import Tensor

from lethe.artifacts._recipe import ArtifactRecipe, Product, Workshop
from lethe.artifacts.kinds._model import Model, accuracies, weights_of
from lethe.study import Scenario, hash_of, read_given
from unlearning.checkpoints import CheckpointError, Fitted
from unlearning.data import ImageData, SplitName
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine
from unlearning.models import Normalise


@dataclass(frozen=True, eq=False)
class GivenWeights(ArtifactRecipe):
    """Weights from a user's file, by the names of a scenario's network; what identifies them is their tensors alone.

    The machine that has the file stores them, so that no other needs it.

    Attributes:
        scenario: whose network they are fitted to.
        hash: of the fitted tensors.
        checkpoint: where the file is, on the machine that stores them.
    """

    kind = "given_weights"
    version = 1
    files = frozenset({"weights"})

    scenario: Scenario
    hash: str
    checkpoint: Path

    @property
    def inputs(self) -> Mapping[str, object]:
        """The hash of the tensors."""
        return {"tensors": self.hash}

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Read the file.

        Raises:
            CheckpointError: it cannot be read, does not fit the network, or has changed since the study was planned.
            DataError: it is not on this machine.
        """
        yield
        scenario = self.scenario
        found = read_given(scenario.network, scenario.channels, scenario.classes, self.checkpoint)
        if hash_of(found) != self.hash:
            raise CheckpointError(
                f"{self.checkpoint}: has changed since the study was planned; the same command goes on"
            )
        return Product({"weights": dict(found.weights)}, seconds=0.0, images=0)


@dataclass(frozen=True, eq=False)
class GivenModel(Model):
    """The model of weights that were given; it has seen all train images, and nothing is known of its training.

    Where the weights come without the statistics of the normalisation, these are taken from the train images.
    """

    kind = "given_model"
    version = 1

    scenario: Scenario
    seed: int
    weights: GivenWeights

    @property
    def inputs(self) -> Mapping[str, object]:
        """The network, and the images that its statistics and logits are of."""
        trained_on = self.scenario.trained_on
        network = {name: value for name, value in trained_on.items() if name.startswith("network")}
        return {**network, "data": self.scenario.data_hash, "precision": self.scenario.recipe.precision}

    @property
    def requires(self) -> Mapping[str, ArtifactRecipe]:
        """The weights."""
        return {"weights": self.weights}

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Fill the network and predict.

        Raises:
            CheckpointError: the logits are not finite, or are of the classes in another order.
        """
        data = workshop.data(self.scenario.data_hash)
        images = {name: getattr(data, name).images_NCHW.to(workshop.device) for name in get_args(SplitName)}
        network = self.fresh_network(workshop)
        if isinstance(network[0], Normalise):
            network[0].fit(images["train"])
        network.load_state_dict({**network.state_dict(), **workshop.load(self.weights)["weights"]})
        augmentation = AUGMENTATIONS[self.scenario.augmentation]
        precision = self.scenario.recipe.precision
        engine = Engine(network, images["train"], augmentation=augmentation, precision=precision)
        logits = {}
        for name, split in images.items():
            yield
            logits[name] = engine.predict(split)
        if not all(values.isfinite().all() for values in logits.values()):
            raise CheckpointError(
                f"the given model answers images of {data.name} with NaN or infinity, in {precision}; "
                "is it the network that it was trained as?"
            )
        if not data.labelling.several:
            _check_order(logits["train"], data)
        unseen = self.scenario.partition(self.seed).control
        return Product(
            {"weights": dict(weights_of(network)), "logits": logits},
            seconds=0.0,
            images=0,
            epochs=0,
            loss=None,
            **accuracies(data, logits, unseen),
        )


def _check_order(logits_NK: Tensor, data: ImageData) -> None:
    """Raise CheckpointError where each output of a model stands for another class of its train images, one for each."""
    classes = range(data.classes)
    predicted_N, labels_N = logits_NK.argmax(1), data.train.labels_N
    meant = [int(labels_N[predicted_N == one].bincount(minlength=data.classes).argmax()) for one in classes]
    if meant != list(classes) and sorted(meant) == list(classes):
        outputs = ", ".join(f"{one} for {data.class_names[label]}" for one, label in zip(classes, meant, strict=True))
        raise CheckpointError(
            f"the given model has the classes in another order than {data.name} (0 {data.class_names[0]}, ...): on the "
            f"train images its outputs stand {outputs}; reorder the rows of its last layer"
        )


def given(scenario: Scenario, seed: int, checkpoint: Path) -> tuple[GivenModel, tuple[str, ...]]:
    """Return the recipe of a user's model on a scenario, and what had to be understood to read it, a sentence each.

    Args:
        seed: the training seed that the draws of whatever is done to the model follow from.

    Raises:
        CheckpointError, DataError: as `read_given`.
    """
    found = read_given(scenario.network, scenario.channels, scenario.classes, checkpoint)
    model = GivenModel(scenario, seed, GivenWeights(scenario, hash_of(found), checkpoint))
    return model, (*found.notes, *_normalised(scenario, found))


def _normalised(scenario: Scenario, found: Fitted) -> Iterator[str]:
    """Yield by what images are normalised, where neither the study nor the weights do: nothing else would show it."""
    if scenario.network.normalise == "data" and not any(name.startswith("0.") for name in found.weights):
        yield (
            "images reach it normalised by mean and standard deviation of the study's train images, since neither the "
            "weights nor network.normalise name others; where its own training did otherwise, name that: "
            "normalise: none for images in [0, 1], or {mean: [...], std: [...]}"
        )


def only_model(scenario: Scenario, seed: int) -> GivenModel | None:
    """Return the model that stands for the original of every training seed; None where models are trained here."""
    if scenario.given is None:
        return None
    return GivenModel(scenario, seed, GivenWeights(scenario, scenario.given.hash, scenario.given.checkpoint))
