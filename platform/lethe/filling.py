"""Fills the pool of a study: makes what is missing, keeps a row of each artefact, opens each cell in time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lethe.cluster import Crew, Stop
from lethe.place import PlaceError
from lethe.plan import Plan
from lethe.pool import Made, Pool, TrainingJob, jobs_for
from lethe.progress import Progress
from lethe.results import ArtifactRow, Store
from lethe.results.columns import question_columns
from lethe.search import StudySearch
from lethe.study import Cell

AT_ONCE_S = 2.0
"""How long a second Ctrl-C, which waits for no running step, waits for the thread that fills."""


class Filling:
    """The filling of a study's pool.

    Args:
        problem: told what could not be made, and why.
    """

    def __init__(
        self,
        plan: Plan,
        pool: Pool,
        store: Store,
        search: StudySearch,
        progress: Progress,
        problem: Callable[[str], None],
    ) -> None:
        self._failed: set[str] = set()
        self._plan = plan
        self._pool = pool
        self._store = store
        self._search = search
        self._progress = progress
        self._problem = problem
        missing = {key.fingerprint for job in plan.missing for key in job.keys}
        self._present = {key.fingerprint for job in plan.jobs for key in job.keys} - missing

    def fill(self, crew: Crew) -> None:
        """Have the crew make all that is missing; a training that fails costs only the cells that need it.

        Raises:
            PlaceError: the place could not take, or give, what it should.
        """
        self._record_found()
        self._open_cells()
        missing = self._plan.missing
        for count, done in enumerate(crew.do(missing), start=1):
            if isinstance(done.error, PlaceError):
                raise done.error
            if done.error is not None:
                self._lose(done.job, done.error)
            else:
                for made in done.result or ():
                    self._take(made)
            self._open_cells()
            self._progress.models(count, len(missing))

    @contextmanager
    def beside(self, crew: Crew, stop: Stop) -> Iterator[None]:
        """Fill in a thread beside what runs inside, and wait for both.

        If the filling itself fails, every cell is given up, which ends the search, and the error is raised at the end.
        If what runs inside fails, the filling ends with its running steps; should it fail too, that is a problem told.

        Args:
            crew: of trainers.
            stop: what the crew looks at; asked for when what runs inside raises.
        """
        errors: list[Exception] = []

        def fill() -> None:
            try:
                self.fill(crew)
            except Exception as error:
                errors.append(error)
                for cell in self._plan.cells:
                    self._search.give_up(cell)

        filler = threading.Thread(target=fill, name="lethe-filling", daemon=True)
        filler.start()
        try:
            yield
        except BaseException as error:
            stop.request()
            filler.join(None if isinstance(error, Exception) else AT_ONCE_S)
            for other in errors:
                self._problem(f"beside that, the artefacts could not be made: {other}")
            raise
        filler.join()
        if errors:
            raise errors[0]

    def can_confirm(self, cell: Cell) -> bool:
        """Tell whether the artefacts of a cell's reporting seeds could all be made."""
        return not _needs(cell, self._plan.study.seeds.reporting) & self._failed

    def _record_found(self) -> None:
        """Keep rows of artefacts that have none."""
        for job in self._plan.jobs:
            for key, question in ((job.key, job.question), *job.saliencies):
                manifest = self._pool.manifest(key) if key.fingerprint in self._plan.unrecorded else None
                if manifest is not None:
                    self._record(Made(key, question, job.seed, manifest, new=False, set_aside=None))

    def _record(self, made: Made) -> None:
        row = _artifact_row(self._plan.study.name, self._pool, made)
        self._store.append([row])

    def _take(self, made: Made) -> None:
        """Count an artefact in; one that was found was made, and is recorded, by another study at the same time."""
        if made.set_aside:
            self._progress.say(f"a broken {made.key.kind} was set aside as {made.set_aside}")
        if made.new:
            self._record(made)
        self._present.add(made.key.fingerprint)

    def _lose(self, job: TrainingJob, error: Exception) -> None:
        self._failed |= {key.fingerprint for key in job.keys}
        self._problem(f"could not train the {job.key.kind} of seed {job.seed} ({job.question.title}): {error}")

    def _open_cells(self) -> None:
        for cell in self._plan.cells:
            needed = _needs(cell, self._plan.study.seeds.tuning)
            if needed & self._failed:
                self._search.give_up(cell)
            elif needed <= self._present:
                self._search.open_cell(cell)


def _needs(cell: Cell, seeds: Sequence[int]) -> set[str]:
    return {key.fingerprint for job in jobs_for([cell], seeds) for key in job.keys}


def _artifact_row(study: str, pool: Pool, made: Made) -> ArtifactRow:
    columns = question_columns(study, made.question)
    if made.key.kind == "original":
        columns |= {name: None for name in columns if name == "question" or name.startswith("forget")}
    return ArtifactRow(
        **columns,
        **made.manifest.facts.model_dump(),
        artifact_id=made.key.fingerprint,
        kind=made.key.kind,
        training_seed=made.seed,
        uri=pool.uri(made.key),
        bytes=made.manifest.size_bytes,
    )
