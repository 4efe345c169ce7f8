"""What is computed from a trained model and a subset of its train images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lethe.artifacts._recipe import ArtifactRecipe, Tensors, Workshop
from lethe.artifacts.kinds._model import Model
from lethe.study import Subset


@dataclass(frozen=True, eq=False)
class ModelOnSubset(ArtifactRecipe):
    """A recipe that is determined by a model and a subset; a kind adds how it is made."""

    model: Model
    subset: Subset

    @property
    def inputs(self) -> Mapping[str, object]:
        """The hash of the subset."""
        return {"subset": self.subset.hash}

    @property
    def requires(self) -> Mapping[str, ArtifactRecipe]:
        """The model."""
        return {"model": self.model}

    def _resumed(
        self,
        workshop: Workshop,
        fresh: Tensors,
        form: Callable[[Tensors], object],
        done: Callable[[Tensors], int],
    ) -> Tensors:
        """Return the state of a checkpoint that fits, else a fresh one; what does not fit is deleted.

        Args:
            form: of a state; that of a checkpoint which fits is the fresh one's.
            done: how many images of the subset a state is of.
        """
        kept = workshop.checkpoint(self)
        if kept is None:
            return fresh
        if form(kept) == form(fresh) and 0 <= done(kept) <= len(self.subset):
            return kept
        workshop.drop_checkpoint(self)
        return fresh
