"""The contract of recipes, which describe artifacts: the kind, what goes into it, and how it is made.

Recipes form a graph: a recipe requires others. Each kind of artifact is one class in a file of its own, in `kinds`;
planning, building, storing and claims know this contract and no kind.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from lethe.errors import LetheError
from lethe.storage.hashing import fingerprint
from unlearning.data import ImageData

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class ArtifactKey:
    """What an artifact is found by in the store."""

    kind: str
    fingerprint: str


@dataclass(frozen=True)
class Product:
    """An artifact that was just made, and what making it cost and showed.

    Attributes:
        files: tensors by name, by file.
        seconds: of the making alone, without loading what goes into it.
        images: passes of a training image through the network, forward and backward; None: a training function of the
            user's did not say.
        epochs: of training; 0 where nothing was trained, None likewise.
        loss: mean training loss of the last epoch.
        ua, va, ta: as fractions; of a model, where it has them.
        repeats: whether the first epoch of a training function of the user's, run again, came to the same; None: it
            showed none, or this is no such training.
    """

    files: Mapping[str, Tensors]
    seconds: float
    images: int | None
    epochs: int | None = 0
    loss: float | None = None
    ua: float | None = None
    va: float | None = None
    ta: float | None = None
    repeats: bool | None = None


class Workshop(Protocol):
    """What a recipe is made with: a device, data, the artifacts that it requires, and a place for a checkpoint."""

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        ...

    def data(self, content_hash: str) -> ImageData:
        """Return a data set of the study."""
        ...

    def load(self, recipe: "ArtifactRecipe") -> Mapping[str, Tensors]:
        """Return the files of an artifact that the recipe requires."""
        ...

    def checkpoint(self, recipe: "ArtifactRecipe") -> Tensors | None:
        """Return the state that an earlier attempt at this recipe kept, if any."""
        ...

    def save_checkpoint(self, recipe: "ArtifactRecipe", state: Tensors) -> None:
        """Keep the state of an unfinished attempt instead of an earlier one."""
        ...

    def drop_checkpoint(self, recipe: "ArtifactRecipe") -> None:
        """Delete the state of an unfinished attempt."""
        ...


class ArtifactRecipe(ABC):
    """How to make an artifact, and what determines it; recipes of one fingerprint are equal.

    Attributes:
        kind: name of the kind, and of its folder in the store.
        version: raised by hand when the same inputs come to mean another artifact.
        files: names of the files that an artifact of the kind holds, at least.
    """

    kind: ClassVar[str]
    version: ClassVar[int]
    files: ClassVar[frozenset[str]]

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, object]:
        """What determines the artifact beside what it requires, as JSON values: hashes, options, seeds, versions."""

    @property
    def requires(self) -> Mapping[str, "ArtifactRecipe"]:
        """The artifacts that go into this one, by what they are to it."""
        return {}

    @abstractmethod
    def make(self, workshop: Workshop) -> Generator[None, None, Product]:
        """Make the artifact step by step, a step being an epoch or some seconds; closed early, keep a checkpoint.

        Raises:
            TrainingDivergedError: a loss stopped being finite.
            TrainingFunctionError: a training function of the user's raised, or returned no weights of the network.
        """

    @cached_property
    def fingerprint(self) -> str:
        """The artifact's name in the store."""
        required = {name: recipe.fingerprint for name, recipe in self.requires.items()}
        return fingerprint_of(self.kind, self.version, self.inputs, required)

    @property
    def key(self) -> ArtifactKey:
        """What the artifact is found by."""
        return ArtifactKey(self.kind, self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactRecipe) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class TrainingDivergedError(LetheError):
    """A training whose loss stopped being finite; nothing is kept of it."""


@contextmanager
def keeping(workshop: Workshop, recipe: ArtifactRecipe, state: Callable[[], Tensors]) -> Iterator[None]:
    """Surround a step of `make`: keep the state as a checkpoint where the work is closed in it."""
    try:
        yield
    except GeneratorExit:
        workshop.save_checkpoint(recipe, state())
        raise


def fingerprint_of(kind: str, version: int, inputs: Mapping[str, object], requires: Mapping[str, str]) -> str:
    """Return the fingerprint of a recipe.

    Args:
        requires: the fingerprints of what it requires, by name.
    """
    return fingerprint({"kind": kind, "version": version, "inputs": inputs, "requires": requires})


def in_order(recipes: Iterable[ArtifactRecipe]) -> list[ArtifactRecipe]:
    """List recipes and all that they require, each once and after what it requires, else in their order."""
    found: dict[ArtifactKey, ArtifactRecipe] = {}

    def visit(recipe: ArtifactRecipe) -> Iterator[ArtifactRecipe]:
        if recipe.key not in found:
            for required in recipe.requires.values():
                yield from visit(required)
            found[recipe.key] = recipe
            yield recipe

    return [one for recipe in recipes for one in visit(recipe)]
