"""Runs a study: fills the pool, searches each cell as soon as its artefacts exist, confirms, and keeps it all.

Whatever was done before is found in the results place and not done again, so the same call continues a study that was
stopped, killed or given more trials.
"""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

from lethe.cluster import Connection, Local, OnRay, Shelf, connect
from lethe.confirm import Confirmer, confirmations, unconfirmed
from lethe.place import Place
from lethe.plan import Plan, make_plan
from lethe.pool import Claims, LocalClaims, Made, Pool, RayClaims, Trainer, TrainingJob, jobs_for
from lethe.progress import Progress
from lethe.results import ArtifactRow, Store, to_rows
from lethe.results.describe import question_columns
from lethe.search import Journal, StudySearch, TrialWorker, run_here, run_on_tune
from lethe.study import Cell, Share, Study
from lethe.workbench import Workbench


class InterruptedStudyError(Exception):
    """A study that was stopped before its end; everything finished is kept."""


class StudyRun:
    """One run of a study over its results place.

    Attributes:
        problems: what went wrong without stopping the study, a sentence each.
    """

    def __init__(self, study: Study, place: Place, progress: Progress) -> None:
        self.problems: list[str] = []
        self._study = study
        self._progress = progress
        self._pool = Pool(place)
        self._store = Store(place)
        self._place = place

    def run(self, address: str | None = None, *, local: bool = False) -> None:
        """Do what is left of the study.

        Args:
            address: of a Ray cluster; None starts Ray on this machine.
            local: run in this process instead, without Ray.

        Raises:
            InterruptedStudyError: the run was stopped by a signal.
            ClusterError, DataError, PlaceError: what the study needs cannot be had.
        """
        self._place.check_writable()
        plan = make_plan(self._study, self._pool, self._store)
        self._tell(plan)
        if plan.complete:
            self._progress.say("Everything is there already: nothing to train, try or confirm.")
            return
        with connect(address, local=local) as connection, _sigterm_as_interrupt():
            self._progress.say(f"Running on {connection.title}.")
            try:
                self._work(plan, connection)
            except KeyboardInterrupt:
                raise InterruptedStudyError from None

    def _tell(self, plan: Plan) -> None:
        for data in plan.datasets:
            dropped = ", ".join(f"{count} {split}" for split, count in data.dropped.items() if count)
            self._progress.say(
                f"{data.name}: {len(data.train)} train, {len(data.val)} val, {len(data.test)} test images, "
                f"{data.classes} classes; {data.twins} train images repeat another"
                + (f"; left out because they stand in train: {dropped}" if dropped else "")
            )
        for problem in plan.broken:
            self._progress.say(problem)

    def _work(self, plan: Plan, connection: Connection) -> None:
        shelf = Shelf(plan.datasets)
        search = StudySearch(plan.cells, self._store, Journal(self._place, self._study.name))
        filling = _Filling(self, plan, connection, shelf, search)
        with filling.beside(connection):
            self._search(search, connection, shelf, plan)
        if filling.error is not None:
            raise filling.error
        if not search.finished:
            raise InterruptedStudyError
        self._confirm(plan, search, connection, shelf, filling.failed)

    def _search(self, search: StudySearch, connection: Connection, shelf: Shelf, plan: Plan) -> None:
        if search.finished:
            return
        show = partial(self._show_search, search)
        make = partial(_make_trial_worker, self._pool, shelf, self._study.resources.trial)
        self._progress.stage("search", search.planned, done=len(search.rows))
        if isinstance(connection, OnRay):
            run_on_tune(self._study, search, make, connection.capacity(self._study.resources.trial), show)
        else:
            run_here(search, make(), show)

    def _show_search(self, search: StudySearch) -> None:
        gaps = [row.gap for row in search.rows if row.status == "done" and row.gap is not None]
        self._progress.update(
            done=len(search.rows),
            running=search.running,
            failed=sum(row.status in ("failed", "diverged") for row in search.rows),
            best_gap=min(gaps, default=None),
            floor=search.noise_floor,
        )

    def _confirm(self, plan: Plan, search: StudySearch, connection: Connection, shelf: Shelf, failed: set[str]) -> None:
        cells = [cell for cell in plan.cells if not _needs(cell, self._study.seeds.reporting) & failed]
        missing = unconfirmed(confirmations(cells, search.rows), self._store) if cells else []
        self._progress.stage("confirmation", len(missing))
        make = partial(_make_confirmer, self._pool, shelf, self._study.resources.trial)
        for count, done in enumerate(connection.crew(make, self._study.resources.trial).do(missing), start=1):
            if done.error is not None or done.result is None:
                self.problem(f"could not confirm {done.job.row} on seed {done.job.seed}: {done.error}")
            else:
                self._store.append([done.result], done.result.confirmation_id)
            self._progress.update(done=count)
        self._store.merge(self._study.name)
        broken = [row for row in search.rows if row.status == "failed"]
        if broken:
            self.problem(f"{len(broken)} trials failed; the first, {broken[0].trial_id}: {broken[0].error}")
        for cell in cells:
            if not any(row.cell == cell.fingerprint and row.status == "done" for row in search.rows):
                self.problem(f"{cell.title}: no trial finished, so there is no setting to confirm")

    def record(self, made: Sequence[Made], known: set[str]) -> None:
        """Keep a row of each artefact that no row tells of."""
        for one in made:
            if one.set_aside:
                self._progress.say(f"a broken {one.key.kind} was set aside as {one.set_aside}")
            if one.key.fingerprint not in known:
                known.add(one.key.fingerprint)
                self._store.append([_artifact_row(self._study, self._pool, one)], one.key.fingerprint)

    def problem(self, text: str) -> None:
        """Tell of a problem now, and keep it for the end."""
        self.problems.append(text)
        self._progress.say(text)


class _Filling:
    """Fills the pool, and opens each cell for the search once its own artefacts are there."""

    def __init__(self, run: StudyRun, plan: Plan, connection: Connection, shelf: Shelf, search: StudySearch) -> None:
        self.failed: set[str] = set()
        self.error: Exception | None = None
        self._run = run
        self._plan = plan
        self._search = search
        self._known = {row.artifact_id for row in to_rows(run._store.read("artifacts"), ArtifactRow)}
        missing = {key.fingerprint for job in plan.missing for key in job.keys}
        self._present = {key.fingerprint for job in plan.jobs for key in job.keys} - missing
        claims: Claims = RayClaims() if isinstance(connection, OnRay) else LocalClaims()
        share = plan.study.resources.training
        self._crew = connection.crew(partial(_make_trainer, run._pool, shelf, claims, share), share)

    @contextmanager
    def beside(self, connection: Connection) -> Iterator[None]:
        """Fill the pool beside what runs inside, or before it where there is one process only."""
        if isinstance(connection, Local):
            self._fill()
            yield
            return
        filler = threading.Thread(target=self._fill_and_keep_error, daemon=True)
        filler.start()
        yield
        if self._search.finished:
            filler.join()

    def _fill_and_keep_error(self) -> None:
        try:
            self._fill()
        except Exception as error:
            self.error = error
            for cell in self._plan.cells:
                self._search.give_up(cell)

    def _fill(self) -> None:
        self._record_found()
        self._open_cells()
        missing = self._plan.missing
        self._run._progress.models(0, len(missing))
        for count, done in enumerate(self._crew.do(missing), start=1):
            if done.error is not None:
                self._lose(done.job, done.error)
            else:
                made: list[Made] = done.result or []
                self._run.record(made, self._known)
                self._present |= {one.key.fingerprint for one in made}
            self._open_cells()
            self._run._progress.models(count, len(missing))

    def _record_found(self) -> None:
        """Tell of artefacts that an earlier run made and died before it could keep their rows."""
        for job in self._plan.jobs:
            for key, question in ((job.key, job.question), *job.saliencies):
                if key.fingerprint in self._present and key.fingerprint not in self._known:
                    manifest = self._run._pool.manifest(key)
                    if manifest is not None:
                        self._run.record(
                            [Made(key, question, job.seed, manifest, new=False, set_aside=None)], self._known
                        )

    def _lose(self, job: TrainingJob, error: Exception) -> None:
        self.failed |= {key.fingerprint for key in job.keys}
        self._run.problem(f"could not train the {job.key.kind} of seed {job.seed} ({job.question.title}): {error}")

    def _open_cells(self) -> None:
        for cell in self._plan.cells:
            needed = _needs(cell, self._plan.study.seeds.tuning)
            if needed & self.failed:
                self._search.give_up(cell)
            elif needed <= self._present:
                self._search.open_cell(cell)


def _needs(cell: Cell, seeds: Sequence[int]) -> set[str]:
    return {key.fingerprint for job in jobs_for([cell], seeds) for key in job.keys}


def _artifact_row(study: Study, pool: Pool, made: Made) -> ArtifactRow:
    facts = made.manifest["facts"]
    columns = question_columns(study.name, made.question)
    del columns["question"]
    if made.key.kind == "original":
        columns |= {"forget": None, "forget_kind": None, "forget_fraction": None, "forget_images": None}
    times: dict[str, Any] = {name: datetime.fromisoformat(facts[name]) for name in ("started_at", "ended_at")}
    return ArtifactRow(
        **columns,
        **{name: value for name, value in facts.items() if name not in times},
        **times,
        artifact_id=made.key.fingerprint,
        kind=made.key.kind,
        training_seed=made.seed,
        status="trained",
        uri=pool.uri(made.key),
        bytes=pool.size_bytes(made.manifest),
    )


def _make_trainer(pool: Pool, shelf: Shelf, claims: Claims, share: Share) -> Trainer:
    return Trainer(pool, shelf, claims, share)


def _make_trial_worker(pool: Pool, shelf: Shelf, share: Share) -> TrialWorker:
    return TrialWorker(Workbench(pool, shelf, share))


def _make_confirmer(pool: Pool, shelf: Shelf, share: Share) -> Confirmer:
    return Confirmer(Workbench(pool, shelf, share))


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C; entered after Ray has set its own handler, which aborts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
