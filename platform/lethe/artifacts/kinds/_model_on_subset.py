"""What is computed from a trained model and a subset of its train images."""

from collections.abc import Mapping
from dataclasses import dataclass

from lethe.artifacts._recipe import ArtifactRecipe
from lethe.artifacts.kinds._trained_model import TrainedModel
from lethe.study import Subset


@dataclass(frozen=True, eq=False)
class ModelOnSubset(ArtifactRecipe):
    """A recipe that is determined by a model and a subset; a kind adds how it is made."""

    model: TrainedModel
    subset: Subset

    @property
    def inputs(self) -> Mapping[str, object]:
        """The hash of the subset."""
        return {"subset": self.subset.hash}

    @property
    def requires(self) -> Mapping[str, ArtifactRecipe]:
        """The model."""
        return {"model": self.model}
