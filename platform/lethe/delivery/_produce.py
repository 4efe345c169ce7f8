"""Makes the model that is delivered, and confirms it: on what the study runs on, each part of it once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from lethe.artifacts import (
    ArtifactRecipe,
    ArtifactStore,
    ArtifactWorker,
    CorruptArtifactError,
    GivenModel,
    Needed,
    TrainingDivergedError,
    build_jobs,
)
from lethe.artifacts.context import with_contexts
from lethe.delivery._choose import Chosen, DeliveryError, choose_row
from lethe.delivery._delivered import ancestors
from lethe.execution.claims import Claims, LocalClaims, RayClaims
from lethe.execution.connect import connect
from lethe.execution.connection import Connection, Local, OnRay
from lethe.execution.plugin_code import send_by_value
from lethe.execution.shared_data import SharedData
from lethe.execution.stop import InterruptedStudyError, Stop, stopping_on_signals
from lethe.execution.supervision import Watch
from lethe.execution.worker_pool import WorkerPool
from lethe.pipeline.artifact_rows import artifact_row
from lethe.pipeline.confirm import choose, needed_by
from lethe.pipeline.plan import Plan, make_plan
from lethe.pipeline.production import Production, ProductionConfirmer, production
from lethe.pipeline.purged import refuse_purged
from lethe.plugins import added_code_of, packages_of
from lethe.report import leaderboard
from lethe.results import Store
from lethe.results.purges import purged_artifacts
from lethe.storage.root import StorageError, StorageRoot
from lethe.storage.writer_lock import writing_study
from lethe.study import Resources, Study


class Producer:
    """Makes and confirms what a study delivers.

    Args:
        say: called with a sentence.
    """

    def __init__(self, study: Study, root: StorageRoot, say: Callable[[str], None]) -> None:
        self._study = study
        self._root = root
        self._say = say
        self._stop = Stop()
        self._watch = Watch(self._stop, study.resources.hung_after_s, say)
        self._artifacts, self._store = ArtifactStore(root), Store(root)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the study while inside, after waiting for whoever has it.

        Raises:
            InterruptedStudyError: it was stopped; the same call goes on.
        """
        try:
            with writing_study(self._root, self._study.name, say=self._say, on_lost=self._stop.request):
                yield
        except KeyboardInterrupt:
            raise InterruptedStudyError from None

    def choose(self, method: str | None, scenario: str | None) -> tuple[Chosen, Production, Plan]:
        """Choose the row whose setting unlearns the production original.

        Args:
            method, scenario: as `choose_row`.

        Raises:
            DeliveryError: there is nothing to deliver.
            CheckpointError, DataError: what the study needs is not available.
        """
        plan = make_plan(self._study, self._artifacts, self._store)
        chosen = choose_row(leaderboard(self._root, self._study.name), plan.method_searches, method, scenario)
        return (
            chosen,
            production(chosen.method_search, choose(chosen.method_search, plan.trials), chosen.scenario),
            plan,
        )

    def is_confirmed(self, wanted: Production) -> bool:
        """Return whether a model was made and measured; it may be gone since."""
        return (
            wanted.confirmation_id in self._store.read("confirmations", self._study.name)["confirmation_id"].to_pylist()
        )

    def produce(self, plan: Plan, wanted: Production, address: str | None) -> None:
        """Have a model made from the production original and confirmed, as far as that was not done before.

        Args:
            address: of a Ray cluster; None: this process.

        Raises:
            DeliveryError: the model could not be made or confirmed.
            InterruptedStudyError: it was stopped; the same call goes on.
            PurgedError: it would make again what was purged.
        """
        if not (self.is_confirmed(wanted) and self._is_stored(wanted) and self._ancestors_are_known(wanted)):
            self._make(plan, wanted, address)

    def _is_stored(self, wanted: Production) -> bool:
        with suppress(CorruptArtifactError):
            return self._artifacts.verify(wanted.model.key) is not None
        return False

    def _ancestors_are_known(self, wanted: Production) -> bool:
        """Return whether the models that a certificate names beside the delivered one are there, or were purged."""
        missing = [one for one in ancestors(wanted.model) if not self._has(one)]
        return not missing or {one.fingerprint for one in missing} <= purged_artifacts(self._root).keys()

    def _make(self, plan: Plan, wanted: Production, address: str | None) -> None:
        needed, shared_data = needed_by([wanted]), SharedData(plan.shared)
        refuse_purged(self._root, [one for one in needed if not self._has(one.recipe)])
        joined = connect(
            address,
            local=address is None,
            workers=self._study.resources.workers,
            root=self._root,
            plugins=packages_of(self._study),
            say=self._say,
            on_failure=self._stop.request,
        )
        with joined as connection, stopping_on_signals(self._stop):
            self._say(f"Making and confirming the model of {wanted.row} on {connection.title}.")
            if isinstance(connection, OnRay):
                send_by_value(added_code_of(self._study))
                for resources in (self._study.resources.training, self._confirming):
                    connection.check_holds(resources)
            self._store_given(wanted, needed, shared_data)
            self._build(needed, shared_data, connection)
            self._confirm(wanted, shared_data, connection)

    def _store_given(self, wanted: Production, needed: list[Needed], shared_data: SharedData) -> None:
        """Store the user's weights from here, where their file is."""
        start = wanted.model.start
        if isinstance(start, GivenModel):
            own = [one for one in needed if one.recipe == start.weights]
            worker = partial(ArtifactWorker, self._artifacts, shared_data, LocalClaims(), Resources())
            self._do_builds(own, Local().worker_pool(worker, Resources(), self._watch))

    def _build(self, needed: list[Needed], shared_data: SharedData, connection: Connection) -> None:
        resources = self._study.resources.training
        claims: Claims = RayClaims() if isinstance(connection, OnRay) else LocalClaims()
        worker = partial(ArtifactWorker, self._artifacts, shared_data, claims, resources)
        self._do_builds(needed, connection.worker_pool(worker, resources, self._watch, claims.release_all))

    def _do_builds(self, needed: list[Needed], pool: WorkerPool) -> None:
        by_key = {one.recipe.key: one for one in needed}
        for done in pool.do(build_jobs(needed)):
            if done.error is not None:
                lost = next((one for one in done.job.needed if not self._has(one.recipe)), done.job.needed[-1])
                raise _failure(done.error, f"could not make {lost.title}")
            for built in done.result or ():
                if built.new:
                    uri = self._artifacts.uri(built.recipe.key)
                    self._store.append([artifact_row(self._study.name, by_key[built.recipe.key], built.manifest, uri)])
        self._check_stop()

    def _confirm(self, wanted: Production, shared_data: SharedData, connection: Connection) -> None:
        worker = partial(with_contexts, ProductionConfirmer, self._artifacts, shared_data, self._confirming)
        for done in connection.worker_pool(worker, self._confirming, self._watch).do([wanted]):
            if done.error is not None or done.result is None:
                raise _failure(done.error, f"could not confirm {wanted.row} of the production original")
            confirmed = done.result
            self._store.append_confirmation(confirmed.row, confirmed.predictions, confirmed.measures)
        self._check_stop()

    @property
    def _confirming(self) -> Resources:
        """What a confirmation asks of the machines; where trials were measured, what a training does."""
        trial = self._study.resources.trial
        return self._study.resources.training if trial == "auto" else trial

    def _has(self, recipe: ArtifactRecipe) -> bool:
        with suppress(CorruptArtifactError):
            return self._artifacts.check(recipe.key) is not None
        return False

    def _check_stop(self) -> None:
        if self._stop.requested:
            raise InterruptedStudyError(self._stop.reason)


def _failure(error: Exception | None, what: str) -> Exception:
    """Return what to raise for a job that failed: storage and cluster speak for themselves."""
    if isinstance(error, StorageError):
        return error
    hint = ": choose another method with --method" if isinstance(error, TrainingDivergedError) else ""
    return DeliveryError(f"{what}: {error}{hint}")
