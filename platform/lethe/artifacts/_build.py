"""Building artifacts: which worker makes what, and the worker that gets or makes what a job names."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass

import torch

from lethe.artifacts._facts import facts_of
from lethe.artifacts._manifest import Manifest
from lethe.artifacts._needs import Needed
from lethe.artifacts._recipe import ArtifactKey, ArtifactRecipe, Tensors
from lethe.artifacts._store import ArtifactStore, CorruptArtifactError
from lethe.execution.claims import Claims, holder_here, renewing, waiting_for
from lethe.execution.device import claim_device
from lethe.execution.shared_data import SharedData
from lethe.execution.worker_pool import Steps
from lethe.results.provenance import Provenance, Stopwatch, reset_peak_memory
from lethe.study import Resources
from unlearning.data import ImageData


@dataclass(frozen=True)
class BuildJob:
    """Artifacts that one worker makes one after another: one that requires nothing missing, and what follows from it.

    Attributes:
        needed: each after what it requires.
    """

    needed: tuple[Needed, ...]


@dataclass(frozen=True)
class Built:
    """An artifact that is in the store now.

    Attributes:
        new: made here, rather than found.
        quarantine: where a broken one was moved to first.
    """

    recipe: ArtifactRecipe
    manifest: Manifest
    new: bool
    quarantine: str | None


def build_jobs(missing: Iterable[Needed]) -> list[BuildJob]:
    """Divide missing artifacts among jobs that can run at once, keeping their order.

    An artifact goes to the job that makes the first missing one of what it requires; what else it requires is made, or
    waited for, when its turn comes.

    Args:
        missing: each after what it requires.
    """
    jobs: dict[ArtifactKey, list[Needed]] = {}
    home: dict[ArtifactKey, ArtifactKey] = {}
    for needed in missing:
        key = needed.recipe.key
        homes = [home[one.key] for one in needed.recipe.requires.values() if one.key in home]
        home[key] = homes[0] if homes else key
        jobs.setdefault(home[key], []).append(needed)
    return [BuildJob(tuple(members)) for members in jobs.values()]


class ArtifactWorker:
    """Gets or makes the artifacts of build jobs, one job at a time, and provides what recipes are made with."""

    def __init__(self, artifacts: ArtifactStore, datasets: SharedData, claims: Claims, resources: Resources) -> None:
        self._artifacts = artifacts
        self._datasets = datasets
        self._claims = claims
        self._resources = resources
        self._device = claim_device(resources)
        self._holder = holder_here()
        self._loaded: dict[ArtifactKey, Mapping[str, Tensors]] = {}

    def __call__(self, job: BuildJob) -> Steps[list[Built]]:
        """Get or make the artifacts of a job, and what they require that is missing or broken.

        Closed early, it leaves a checkpoint.

        Raises:
            TrainingDivergedError: the loss of a training stopped being finite.
            TrainingFunctionError: a training function of the user's raised, or returned no weights of the network.
        """
        self._loaded.clear()
        built: dict[ArtifactKey, Built] = {}
        for needed in job.needed:
            yield from self._get_or_make(needed.recipe, built)
        return list(built.values())

    @property
    def device(self) -> torch.device:
        """Where recipes compute."""
        return self._device

    def data(self, content_hash: str) -> ImageData:
        """Return a data set of the study."""
        return self._datasets[content_hash]

    def load(self, recipe: ArtifactRecipe) -> Mapping[str, Tensors]:
        """Return the files of an artifact that the recipe at hand requires."""
        return self._loaded[recipe.key]

    def checkpoint(self, recipe: ArtifactRecipe) -> Tensors | None:
        """Return the state that an earlier attempt kept."""
        return self._artifacts.checkpoint(recipe.key)

    def save_checkpoint(self, recipe: ArtifactRecipe, state: Tensors) -> None:
        """Keep the state of an unfinished attempt."""
        self._artifacts.save_checkpoint(recipe.key, state)

    def drop_checkpoint(self, recipe: ArtifactRecipe) -> None:
        """Delete the state of an unfinished attempt."""
        self._artifacts.drop_checkpoint(recipe.key)

    def _get_or_make(self, recipe: ArtifactRecipe, built: dict[ArtifactKey, Built]) -> Steps[None]:
        """Have an artifact in the store; what it requires is read, and made again where it is broken, only if need be.

        A claim is held for the making of one artifact alone, so that no two workers wait for each other.
        """
        if recipe.key in built:
            return
        if not self._is_there(recipe.key):
            for required in recipe.requires.values():
                yield from self._load(required, built)
        yield from waiting_for(self._claims, recipe.fingerprint, self._holder)
        with renewing(self._claims, recipe.fingerprint, self._holder):
            moved = None
            try:
                manifest = self._artifacts.check(recipe.key)
            except CorruptArtifactError:
                manifest, moved = None, self._artifacts.quarantine(recipe.key)
            if manifest is not None:
                built[recipe.key] = Built(recipe, manifest, new=False, quarantine=None)
                return
            manifest = yield from self._make(recipe)
            built[recipe.key] = Built(recipe, manifest, new=True, quarantine=moved)

    def _load(self, recipe: ArtifactRecipe, built: dict[ArtifactKey, Built]) -> Steps[None]:
        """Read a required artifact with all its checksums; a broken one is moved away and made again."""
        if recipe.key in self._loaded:
            return
        yield from self._get_or_make(recipe, built)
        moved = None
        try:
            artifact = self._artifacts.load(recipe.key)
        except CorruptArtifactError:
            artifact, moved = None, self._artifacts.quarantine(recipe.key)
        if artifact is None:
            del built[recipe.key]
            yield from self._get_or_make(recipe, built)
            again = built[recipe.key]
            built[recipe.key] = Built(recipe, again.manifest, again.new, moved or again.quarantine)
            artifact = self._artifacts.load(recipe.key)
        if artifact is None:
            raise FileNotFoundError(f"{self._artifacts.uri(recipe.key)} vanished after it was made")
        self._loaded[recipe.key] = artifact.files

    def _is_there(self, key: ArtifactKey) -> bool:
        try:
            return self._artifacts.check(key) is not None
        except CorruptArtifactError:
            return False

    def _make(self, recipe: ArtifactRecipe) -> Generator[None, None, Manifest]:
        stopwatch = Stopwatch()
        reset_peak_memory(self._device)
        product = yield from recipe.make(self)
        here = Provenance.here(self._device, self._resources.cpu, self._resources.gpu)
        return self._artifacts.save(recipe, product.files, facts_of(product, stopwatch, here))
