"""The weights that a model had before the last parts of its training, for methods that rewind it."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lethe.artifacts._recipe import ArtifactRecipe, Product, Tensors, Workshop, keeping
from lethe.artifacts.kinds._trained_model import TrainedModel
from unlearning.earlier_weights import EARLIER_WEIGHTS_VERSION, UNDONE, epochs_left
from unlearning.training import Training

_TRAINING, _KEPT = "training/", "kept/"


@dataclass(frozen=True, eq=False)
class EarlierWeights(ArtifactRecipe):
    """The weights after fewer epochs of the same training, one set for each percent of it that is undone.

    The training is run again to get them. That costs a method nothing: whoever means to rewind keeps these weights
    while the model is trained.
    """

    kind = "earlier_weights"
    version = EARLIER_WEIGHTS_VERSION
    files = frozenset({"weights"})

    model: TrainedModel

    @property
    def inputs(self) -> Mapping[str, object]:
        """The percents."""
        return {"undone": list(UNDONE)}

    @property
    def requires(self) -> Mapping[str, ArtifactRecipe]:
        """The model."""
        return {"model": self.model}

    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Train epoch by epoch up to the last weights that are kept."""
        training, kept = self._begin(workshop)
        wanted = epochs_left(training.recipe.epochs)
        while True:
            for percent in (one for one, epoch in wanted.items() if epoch == training.epoch):
                kept.update({f"{percent}/{name}": value for name, value in _weights(training).items()})
            if training.epoch >= max(wanted.values()):
                return Product({"weights": kept}, seconds=0.0, images=0)
            training.advance()
            with keeping(workshop, self, lambda: _state(training, kept)):
                yield

    def _begin(self, workshop: Workshop) -> tuple[Training, Tensors]:
        """Return the training and the weights kept so far, of a checkpoint that fits, else from the start."""
        training, state = self.model.fresh_training(workshop), workshop.checkpoint(self)
        if state is None:
            return training, {}
        try:
            training.restore(_below(_TRAINING, state))
        except ValueError:
            workshop.drop_checkpoint(self)
            return self.model.fresh_training(workshop), {}
        return training, _below(_KEPT, state)


def _state(training: Training, kept: Tensors) -> Tensors:
    state = {f"{_KEPT}{name}": value for name, value in kept.items()}
    return state | {f"{_TRAINING}{name}": value for name, value in training.checkpoint().items()}


def _weights(training: Training) -> dict[str, Tensor]:
    state = training.model.state_dict()
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}


def _below(prefix: str, state: Tensors) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
