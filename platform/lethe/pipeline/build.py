"""Fills the pool of a study: makes what is missing, keeps a row of each artifact, opens each method search in time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lethe.artifacts import ArtifactStore, Made, TrainingJob, jobs_for
from lethe.execution.stop import Stop
from lethe.execution.worker_pool import WorkerPool
from lethe.pipeline.plan import Plan
from lethe.pipeline.progress import Progress
from lethe.results import ArtifactRow, Store
from lethe.results.columns import scenario_columns
from lethe.search import StudySearch
from lethe.storage.root import StorageError
from lethe.study import MethodSearch

AT_ONCE_S = 2.0
"""How long a second Ctrl-C, which waits for no running step, waits for the thread that fills."""


class ArtifactBuilder:
    """The filling of a study's pool.

    Args:
        problem: told what could not be made, and why.
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
        self._failed: set[str] = set()
        self._plan = plan
        self._artifacts = artifacts
        self._store = store
        self._search = search
        self._progress = progress
        self._problem = problem
        missing = {key.fingerprint for job in plan.missing for key in job.keys}
        self._present = {key.fingerprint for job in plan.jobs for key in job.keys} - missing

    def fill(self, worker_pool: WorkerPool) -> None:
        """Have the worker pool make all that is missing; a training that fails costs only the searches that need it.

        Raises:
            StorageError: the place could not take, or give, what it should.
        """
        self._record_found()
        self._open_searches()
        missing = self._plan.missing
        for count, done in enumerate(worker_pool.do(missing), start=1):
            if isinstance(done.error, StorageError):
                raise done.error
            if done.error is not None:
                self._lose(done.job, done.error)
            else:
                for made in done.result or ():
                    self._take(made)
            self._open_searches()
            self._progress.models(count, len(missing))

    @contextmanager
    def beside(self, worker_pool: WorkerPool, stop: Stop) -> Iterator[None]:
        """Fill in a thread beside what runs inside, and wait for both.

        If the filling itself fails, every method search is given up, which ends the search, and the error is raised at
        the end.
        If what runs inside fails, or the wait is interrupted, the filling ends with its running steps; should it fail
        too, that is reported as a problem.

        Args:
            worker pool: of trainers.
            stop: what the worker pool looks at; asked for when what runs inside raises.
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
        """Tell whether the artifacts of a method search's reporting seeds could all be made."""
        return not _needs(method_search, self._plan.study.seeds.reporting) & self._failed

    def _record_found(self) -> None:
        """Keep rows of artifacts that have none."""
        for job in self._plan.jobs:
            for key, scenario in ((job.key, job.scenario), *job.saliencies):
                manifest = self._artifacts.manifest(key) if key.fingerprint in self._plan.unrecorded else None
                if manifest is not None:
                    self._record(Made(key, scenario, job.seed, manifest, new=False, quarantine=None))

    def _record(self, made: Made) -> None:
        row = _artifact_row(self._plan.study.name, self._artifacts, made)
        self._store.append([row])

    def _take(self, made: Made) -> None:
        """Count an artifact in; one that was found was made, and is recorded, by another study at the same time."""
        if made.quarantine:
            self._progress.say(f"a broken {made.key.kind} was set aside as {made.quarantine}")
        if made.new:
            self._record(made)
        self._present.add(made.key.fingerprint)

    def _lose(self, job: TrainingJob, error: Exception) -> None:
        self._failed |= {key.fingerprint for key in job.keys}
        self._problem(f"could not train the {job.key.kind} of seed {job.seed} ({job.scenario.title}): {error}")

    def _open_searches(self) -> None:
        for method_search in self._plan.method_searches:
            needed = _needs(method_search, self._plan.study.seeds.tuning)
            if needed & self._failed:
                self._search.give_up(method_search)
            elif needed <= self._present:
                self._search.open_search(method_search)


def _needs(method_search: MethodSearch, seeds: Sequence[int]) -> set[str]:
    return {key.fingerprint for job in jobs_for([method_search], seeds) for key in job.keys}


def _artifact_row(study: str, artifacts: ArtifactStore, made: Made) -> ArtifactRow:
    columns = scenario_columns(study, made.scenario)
    if made.key.kind == "original":
        columns |= {name: None for name in columns if name == "scenario" or name.startswith("forget")}
    return ArtifactRow(
        **columns,
        **made.manifest.facts.model_dump(),
        artifact_id=made.key.fingerprint,
        kind=made.key.kind,
        training_seed=made.seed,
        uri=artifacts.uri(made.key),
        bytes=made.manifest.size_bytes,
    )
