"""Making an artifact that is taken away: what it requires is read from the store, and nothing is written there."""

from collections.abc import Generator, Mapping

import torch

from lethe.artifacts._recipe import ArtifactRecipe, Product, Tensors
from lethe.artifacts._store import ArtifactStore
from lethe.execution.device import claim_device
from lethe.execution.shared_data import SharedData
from lethe.storage.root import StorageError
from lethe.study import Resources
from unlearning.data import ImageData


class ReadingWorkshop:
    """What a recipe is made with where all that it requires is there; no checkpoint is read or kept.

    Args:
        resources: what the making may use of this machine.
    """

    def __init__(self, artifacts: ArtifactStore, datasets: SharedData, resources: Resources) -> None:
        self._artifacts = artifacts
        self._datasets = datasets
        self._device = claim_device(resources)

    @property
    def device(self) -> torch.device:
        """Where recipes compute."""
        return self._device

    def data(self, content_hash: str) -> ImageData:
        """Return a data set of the study."""
        return self._datasets[content_hash]

    def load(self, recipe: ArtifactRecipe) -> Mapping[str, Tensors]:
        """Return the files of an artifact that the recipe requires.

        Raises:
            StorageError: it is not there, or broken.
        """
        artifact = self._artifacts.load(recipe.key)
        if artifact is None:
            raise StorageError(
                f"the {recipe.kind} {self._artifacts.uri(recipe.key)} is gone; `lethe run` on the study's file makes "
                "it again"
            )
        return artifact.files

    def checkpoint(self, recipe: ArtifactRecipe) -> Tensors | None:
        """Return that there is no earlier attempt."""
        return None

    def save_checkpoint(self, recipe: ArtifactRecipe, state: Tensors) -> None:
        """Leave nothing of an unfinished attempt."""

    def drop_checkpoint(self, recipe: ArtifactRecipe) -> None:
        """Leave whatever another attempt has kept."""

    def make(self, recipe: ArtifactRecipe) -> Product:
        """Make an artifact from its first step to its last.

        Raises:
            StorageError: something that it requires is not there, or broken.
            TrainingDivergedError: a loss stopped being finite.
        """
        steps: Generator[None, None, Product] = recipe.make(self)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                product: Product = end.value
                return product
