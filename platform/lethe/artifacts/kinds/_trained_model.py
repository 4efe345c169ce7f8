"""A model trained on a subset of the train images: weights, and logits on all three splits.

Original and oracle are both of this kind and differ in their subset: an oracle for an empty forget set is the original.
"""

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from lethe.artifacts._recipe import Product, TrainingDivergedError, Workshop
from lethe.artifacts.kinds._given_model import only_model
from lethe.artifacts.kinds._model import Model, accuracies, weights_of
from lethe.study import Scenario, Subset
from unlearning.data import SplitName
from unlearning.data.augment import AUGMENTATIONS
from unlearning.engine import Engine, placed
from unlearning.own_recipe import OwnRecipe
from unlearning.own_training import OwnTraining
from unlearning.training import RECIPE_VERSION, Recipe, Training

CHECKPOINT_EPOCHS: Final = 5


@dataclass(frozen=True)
class _Trained:
    """A network at its trained weights, and what is noted of the training as in `Product`."""

    engine: Engine
    seconds: float
    images: int | None
    epochs: int | None
    loss: float | None
    repeats: bool | None = None


@dataclass(frozen=True, eq=False)
class TrainedModel(Model):
    """A model trained as a scenario's models are.

    Attributes:
        scenario: which data, network, training recipe and augmentation; its forget request does not count.
        subset: what it is trained on.
        seed: a training seed of the study; models of one seed begin with the same weights and see the same draws.
    """

    kind = "trained_model"
    version = RECIPE_VERSION

    scenario: Scenario
    subset: Subset
    seed: int

    @property
    def inputs(self) -> Mapping[str, object]:
        """How it is trained, from which seed, and the hash of the train images that are left out."""
        return {
            **self.scenario.trained_on,
            "left_out": self.subset.rest.hash,
            "training_seed": self.scenario.training_seed(self.seed),
        }

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Train epoch by epoch, from a checkpoint if there is one, and predict."""
        data = workshop.data(self.scenario.data_hash)
        if isinstance(self.scenario.recipe, OwnRecipe):
            trained = yield from self._by_function(workshop, self.scenario.recipe)
        else:
            trained = yield from self._by_recipe(workshop)
        images = {name: placed(getattr(data, name).images_NCHW, workshop.device) for name in ("val", "test")}
        images["train"] = trained.engine.images_NCHW
        logits = {name: trained.engine.predict(images[name]) for name in get_args(SplitName)}
        return Product(
            {"weights": dict(weights_of(trained.engine.model)), "logits": logits},
            seconds=trained.seconds,
            images=trained.images,
            epochs=trained.epochs,
            loss=trained.loss,
            repeats=trained.repeats,
            **accuracies(data, logits, self.subset.rest),
        )

    def fresh_training(self, workshop: Workshop) -> Training:
        """Return the training of the model by its recipe, before its first epoch."""
        recipe = self.scenario.recipe
        assert isinstance(recipe, Recipe)
        data = workshop.data(self.scenario.data_hash)
        training_seed = self.scenario.training_seed(self.seed)
        return Training(
            self.fresh_network(workshop, training_seed),
            placed(data.train.images_NCHW, workshop.device),
            data.train.labels_N,
            self.subset.indices_M,
            recipe=recipe,
            augmentation=AUGMENTATIONS[self.scenario.augmentation],
            seed=training_seed,
        )

    def _by_recipe(self, workshop: Workshop) -> Generator[None, None, _Trained]:
        training = self._training(workshop)
        yield from self._finish(workshop, training)
        images = training.epoch * len(self.subset)
        return _Trained(training.engine, training.seconds, images, training.epoch, training.loss)

    def _by_function(self, workshop: Workshop, recipe: OwnRecipe) -> Generator[None, None, _Trained]:
        """Have the user's function train, which keeps its own checkpoints."""
        scenario = self.scenario
        data, training_seed = workshop.data(scenario.data_hash), scenario.training_seed(self.seed)
        training = OwnTraining(
            recipe,
            data,
            self.subset.indices_M,
            build=lambda: self.fresh_network(workshop, training_seed),
            augmentation=scenario.augmentation,
            device=workshop.device,
            seed=training_seed,
            save=lambda state: workshop.save_checkpoint(self, state),
        )
        model = yield from training.run(workshop.checkpoint(self))
        engine = Engine(
            model,
            placed(data.train.images_NCHW, workshop.device),
            augmentation=AUGMENTATIONS[scenario.augmentation],
            precision=recipe.precision,
        )
        costs = training.costs
        return _Trained(engine, costs.seconds, training.images, costs.epochs, costs.loss, training.repeats)

    def _training(self, workshop: Workshop) -> Training:
        training = self.fresh_training(workshop)
        checkpoint = workshop.checkpoint(self)
        if checkpoint is not None:
            try:
                training.restore(checkpoint)
            except ValueError:
                workshop.drop_checkpoint(self)
        return training

    def _finish(self, workshop: Workshop, training: Training) -> Generator[None, None, None]:
        recipe = training.recipe
        kept = training.epoch
        while training.epoch < recipe.epochs:
            training.advance()
            if not math.isfinite(training.loss):
                raise TrainingDivergedError(
                    f"the training of {self.kind} {self.fingerprint} diverged in epoch {training.epoch} "
                    f"(loss {training.loss}): lower training.lr ({recipe.lr:g})"
                )
            if training.epoch % CHECKPOINT_EPOCHS == 0 and training.epoch < recipe.epochs:
                workshop.save_checkpoint(self, training.checkpoint())
                kept = training.epoch
            try:
                yield
            except GeneratorExit:
                if kept < training.epoch:
                    workshop.save_checkpoint(self, training.checkpoint())
                raise


def original(scenario: Scenario, seed: int, lot: int | None = None) -> Model:
    """Return the recipe of the original of a training seed; forget requests without a control half share it.

    Where the recipe is not known it is the model that is given, on every seed.

    Args:
        lot: the training seed whose lot says what it is trained on; None: its own.
    """
    everything = scenario.partition(seed if lot is None else lot).everything
    return only_model(scenario, seed) or TrainedModel(scenario, everything, seed)


def oracle(scenario: Scenario, seed: int) -> TrainedModel:
    """Return the recipe of the oracle of a training seed, paired with its original, where the scenario has oracles."""
    return TrainedModel(scenario, scenario.retained, seed)


def dosed(scenario: Scenario, seed: int, share: float) -> TrainedModel:
    """Return the recipe of a model between oracle and original: trained on D_r and a share of D_f."""
    return TrainedModel(scenario, scenario.dosed(seed, share), seed)
