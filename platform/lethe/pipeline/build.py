"""Builds a study's artifacts: makes what is missing, records it, and opens each method search once its artifacts
exist."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from lethe.artifacts import (
    ArtifactKey,
    ArtifactStore,
    BuildJob,
    Built,
    Facts,
    GivenWeights,
    Manifest,
    Needed,
    build_jobs,
    needed_for,
)
from lethe.execution.stop import Stop
from lethe.execution.worker_pool import WorkerPool
from lethe.pipeline.artifact_rows import artifact_row
from lethe.pipeline.confirm import Confirmation, needed_by
from lethe.pipeline.plan import Plan, missing_of
from lethe.pipeline.progress import Progress
from lethe.results import Store
from lethe.search import StudySearch
from lethe.storage.root import StorageError
from lethe.study import MethodSearch
from unlearning.own_recipe import OwnRecipe

AT_ONCE_S = 2.0
"""How long a second Ctrl-C, which waits for no running step, waits for the thread that builds."""


class ArtifactBuilder:
    """Builds a study's artifacts.

    Args:
        problem: called with what could not be made, and why.
    """

    def __init__(
        self,
        plan: Plan,
        artifacts: ArtifactStore,
        store: Store,
        search: StudySearch,
        progress: Progress,
        problem: Callable[[str], None],
    ) -> None:
        self._failed: set[ArtifactKey] = set()
        self._said: set[str] = set()
        self._ended = 0
        self._plan = plan
        self._artifacts = artifacts
        self._store = store
        self._search = search
        self._progress = progress
        self._problem = problem
        self._needed = {needed.recipe.key: needed for needed in plan.needed}
        self._present = self._needed.keys() - {needed.recipe.key for needed in plan.missing}
        tuning = plan.study.seeds.tuning
        self._needs_of_searches = [(one, _needs(one, tuning)) for one in plan.method_searches if one.trials]

    def fill(self, worker_pool: WorkerPool) -> None:
        """Have the worker pool make all that is missing; what fails costs only the searches that need it.

        Raises:
            StorageError: the results could not be written or read.
        """
        self._record_found([one for one in self._plan.needed if one.recipe.fingerprint in self._plan.unrecorded])
        self._open_searches()
        self._make([one for one in self._plan.missing if one.recipe.key not in self._present], worker_pool)

    def store_given(self, worker_pool: WorkerPool) -> None:
        """Have this process, on whose machine the file is, store the weights that are given.

        Raises:
            StorageError: as `fill`.
        """
        self._make([one for one in self._plan.missing if isinstance(one.recipe, GivenWeights)], worker_pool)

    def make_further(self, needed: Iterable[Needed], worker_pool: WorkerPool) -> None:
        """Have the worker pool make what a plan did not know of, since it follows from a setting that was found since.

        Raises:
            StorageError: as `fill`.
        """
        new = [one for one in needed if one.recipe.key not in self._needed]
        self._needed |= {one.recipe.key: one for one in new}
        missing, broken = missing_of(self._artifacts, new)
        for told in broken:
            self._progress.say(told)
        self._present |= {one.recipe.key for one in new} - {one.recipe.key for one in missing}
        if missing:
            self._make(missing, worker_pool)

    def _make(self, missing: Sequence[Needed], worker_pool: WorkerPool) -> None:
        ended = 0
        for done in worker_pool.do(build_jobs(missing)):
            if isinstance(done.error, StorageError):
                raise done.error
            if done.error is not None:
                self._lose(done.job, done.error)
            else:
                for built in done.result or ():
                    self._take(built)
            ended += len(done.job.needed)
            self._open_searches()
            self._progress.built(self._ended + ended, self._ended + len(missing))
        self._ended += len(missing)

    @contextmanager
    def beside(self, worker_pool: WorkerPool, stop: Stop) -> Iterator[None]:
        """Build in a thread while the body runs, and wait for both.

        If the building itself fails, every method search is given up, which ends the search, and the error is raised at
        the end.
        If the body fails, or the wait is interrupted, the building ends with its running steps; should it fail
        too, that is reported as a problem.

        Args:
            worker_pool: of artifact workers.
            stop: the worker pool's request to stop; requested when the body raises.
        """
        errors: list[Exception] = []
        has_ended = threading.Event()  # Python before 3.13 takes a thread for ended whose `join` was interrupted

        def fill() -> None:
            try:
                self.fill(worker_pool)
            except Exception as error:
                errors.append(error)
                for method_search in self._plan.method_searches:
                    self._search.give_up(method_search)
            finally:
                has_ended.set()

        filler = threading.Thread(target=fill, name="lethe-filling", daemon=True)
        filler.start()
        try:
            yield
            has_ended.wait()
            filler.join()
        except BaseException as error:
            stop.request()
            if has_ended.wait(None if isinstance(error, Exception) else AT_ONCE_S):
                filler.join()
            for other in errors:
                self._problem(f"beside that, the artifacts could not be made: {other}")
            raise
        if errors:
            raise errors[0]

    def can_confirm(self, method_search: MethodSearch) -> bool:
        """Return whether the artifacts of a method search's reporting seeds could all be made."""
        return not _needs(method_search, self._plan.study.seeds.reporting) & self._failed

    def lost(self, confirmation: Confirmation) -> tuple[str, ...]:
        """Name what a confirmation reads and could not be made, such as a model that an audit requires."""
        if not self._failed:
            return ()
        needed = [one for one in needed_by([confirmation]) if one.recipe.key in self._failed]
        return tuple(one.title for one in needed)

    def _record_found(self, found: Sequence[Needed]) -> None:
        """Record rows of artifacts that are there and have none."""
        if not found:
            return
        recorded = set(self._store.read("artifacts")["artifact_id"].to_pylist())
        for needed in found:
            manifest = None if needed.recipe.fingerprint in recorded else self._artifacts.manifest(needed.recipe.key)
            if manifest is not None:
                self._record(needed, manifest)

    def _record(self, needed: Needed, manifest: Manifest) -> None:
        uri = self._artifacts.uri(needed.recipe.key)
        self._store.append([artifact_row(self._plan.study.name, needed, manifest, uri)])

    def _take(self, built: Built) -> None:
        """Count a built artifact; one that was found was made, and is recorded, by another study at the same time."""
        key = built.recipe.key
        needed = self._needed[key]
        if built.quarantine:
            self._progress.say(f"a broken {needed.label} was moved to quarantine as {built.quarantine}")
        if built.new:
            self._record(needed, built.manifest)
            self._say_repeats(needed, built.manifest.facts)
        self._present.add(key)

    def _say_repeats(self, needed: Needed, facts: Facts) -> None:
        """Report once what the first models show of whether a training function of the user's repeats by its seed."""
        recipe = needed.scenario.recipe
        if not isinstance(recipe, OwnRecipe) or facts.epochs == 0 or (said := _repeats(facts)) in self._said:
            return
        self._said.add(said)
        self._progress.say(f"{recipe.import_} {said} (the {needed.label} of seed {needed.seed}).")

    def _lose(self, job: BuildJob, error: Exception) -> None:
        """Report what a job could not make; what it had made before that is there."""
        lost, _ = missing_of(self._artifacts, job.needed)
        keys = {one.recipe.key for one in lost}
        made = [one for one in job.needed if one.recipe.key not in keys]
        self._record_found(made)
        self._present |= {one.recipe.key for one in made}
        self._failed |= keys
        for one in lost[:1]:
            self._problem(f"could not make {one.title}: {error}")

    def _open_searches(self) -> None:
        for method_search, needed in self._needs_of_searches:
            if needed & self._failed:
                self._search.give_up(method_search)
            elif needed <= self._present:
                self._search.open_search(method_search)


def _needs(method_search: MethodSearch, seeds: Sequence[int]) -> set[ArtifactKey]:
    return {needed.recipe.key for needed in needed_for([method_search], seeds)}


def _repeats(facts: Facts) -> str:
    if facts.epochs is None:
        return "ends no epoch (data.epoch): it cannot be stopped, and its cost and whether it repeats are unknown"
    if facts.repeats is None:
        return "shows no weights and no loss after its first epoch, so whether it repeats by its seed is unknown"
    if facts.repeats:
        return "repeats by its seed: its first epoch, run again, came to the same"
    return "does NOT repeat by its seed: its first epoch, run again, came to other weights or another loss"
