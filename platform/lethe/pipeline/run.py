"""Runs a study: builds its artifacts, searches each method once its artifacts exist, confirms, and stores every result.

What was finished before is found in the results and not done again, so the same call continues a study that was
stopped, killed or extended.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

from lethe.artifacts import ArtifactStore, ArtifactWorker
from lethe.artifacts.context import TrialContexts, with_contexts
from lethe.execution.claims import Claims, LocalClaims, RayClaims
from lethe.execution.connect import connect
from lethe.execution.connection import Connection, Local, OnRay
from lethe.execution.leftovers import remove_leftovers
from lethe.execution.node_types import node_types_of
from lethe.execution.plugin_code import send_by_value
from lethe.execution.shared_data import SharedData
from lethe.execution.stop import InterruptedStudyError, Stop, stopping_on_signals
from lethe.execution.supervision import Watch
from lethe.execution.worker_pool import WorkerPool
from lethe.pipeline.boards import are_current, board_rows
from lethe.pipeline.build import ArtifactBuilder
from lethe.pipeline.confirm import Confirmation, Confirmer, beyond_limits, confirmations, missing_from, needed_by
from lethe.pipeline.kept_models import KeptModels
from lethe.pipeline.plan import Plan, make_plan
from lethe.pipeline.progress import Progress, Stage
from lethe.pipeline.purged import refuse_purged
from lethe.pipeline.withdrawn_before import refuse_withdrawn
from lethe.pipeline.work import work_of
from lethe.plugins import added_code_of, packages_of
from lethe.results import BoardRow, Store, TrialRow, compact, to_rows
from lethe.results.columns import specification
from lethe.results.ownership import check_ownership
from lethe.results.progress import Best, write_progress
from lethe.search import Journal, StudySearch, TrialWorker, run_here, unrecorded
from lethe.search.calibration import Calibrator
from lethe.storage.root import StorageError, StorageRoot
from lethe.storage.writer_lock import writing_study
from lethe.study import MethodSearch, Resources, Study

WAIT_S = 0.2

COMPACT_EVERY = 500
"""Trials between two compactions of their parts: reading that many takes about a second."""


class StudyRun:
    """One run of a study.

    Attributes:
        problems: what went wrong without stopping the study, a sentence each.
    """

    def __init__(self, study: Study, root: StorageRoot, progress: Progress) -> None:
        self.problems: list[str] = []
        self._stop = Stop()
        self._watch = Watch(self._stop, study.resources.hung_after_s, progress.say)
        self._study = study
        self._progress = progress
        self._root = root

    def run(
        self,
        address: str | None = None,
        *,
        local: bool = False,
        force: bool = False,
        check: Callable[[Plan], None] | None = None,
    ) -> None:
        """Do what is left of the study.

        Args:
            address: of a Ray cluster; None starts Ray on this machine.
            local: run in this process instead, without Ray.
            force: write into a folder that holds files of another tool, too.
            check: called with the plan before anything is recorded or made; what it raises ends the run.

        Raises:
            InterruptedStudyError: the run was stopped: by a signal once the running epochs had ended, by the second
                one at once.
            PurgedError: it would make again what was purged for a request.
            ClusterError, DataError, StorageError: what the study needs is not available.
            ClusterFailedError: the cluster did not start, or failed during the run.
        """
        remove_leftovers()
        if not force:
            check_ownership(self._root)
        self._root = self._root.prepared()
        self._artifacts, self._store = ArtifactStore(self._root), Store(self._root)
        try:
            with writing_study(self._root, self._study.name, say=self._progress.say, on_lost=self._stop.request):
                self._run(address, local=local, check=check)
        except KeyboardInterrupt:
            raise InterruptedStudyError from None

    def _run(self, address: str | None, *, local: bool, check: Callable[[Plan], None] | None) -> None:
        self._compact()
        plan = make_plan(self._study, self._artifacts, self._store)
        self._study = plan.study
        if check is not None:
            check(plan)
        refuse_withdrawn(plan.study, plan.withdrawn)
        refuse_purged(self._root, plan.missing)
        self._specify(plan)
        self._tell(plan)
        if plan.complete:
            self._progress.say("Everything is there already: nothing to train, try or confirm.")
            self._tell_limits(plan.method_searches, plan.trials)
            return
        joined = connect(
            address,
            local=local,
            workers=self._study.resources.workers,
            root=self._root,
            plugins=packages_of(self._study),
            say=self._progress.say,
            on_failure=self._stop.request,
        )
        with joined as connection, stopping_on_signals(self._stop):
            self._progress.say(f"Running on {connection.title}.")
            if isinstance(connection, OnRay):
                send_by_value(added_code_of(self._study))
                for asked in (self._study.resources.training, self._study.resources.trial):
                    if asked != "auto":
                        connection.check_holds(asked)
            self._work(plan, connection)
            if self._stop.requested:
                raise InterruptedStudyError(self._stop.reason)

    def _specify(self, plan: Plan) -> None:
        """Record the study as it is run now, unless it was run so before, and which rows its tables will have."""
        row = specification(plan.study, plan.precision.rates)
        if row.specification_id not in self._store.read("studies", self._study.name)["specification_id"].to_pylist():
            self._store.append([row])
        for priors in unrecorded(plan.method_searches, self._store):
            self._store.append([priors])
        self._compose(plan.method_searches, plan.trials)

    def _compose(self, method_searches: Sequence[MethodSearch], trials: Sequence[TrialRow]) -> None:
        """Record which confirmations the tables of this specification are made of, as far as settings are chosen.

        Nothing is written where the last run left the same boards.
        """
        rows = board_rows(method_searches, trials)
        if not are_current(rows, to_rows(self._store.read("boards", self._study.name), BoardRow)):
            self._store.append(rows)

    def _tell(self, plan: Plan) -> None:
        for told in plan.notes:
            self._progress.say(told)

    def _work(self, plan: Plan, connection: Connection) -> None:
        shared_data = SharedData(plan.shared)
        journal = Journal(self._root, self._study.name)
        if journal.problem:
            self._progress.say(journal.problem)
        search = StudySearch(plan.method_searches, self._store, journal)
        self._begin(plan, search)
        builder = ArtifactBuilder(plan, self._artifacts, self._store, search, self._progress, self._problem)
        if not self._study.has_oracles:
            at_hand = partial(ArtifactWorker, self._artifacts, shared_data, LocalClaims(), Resources())
            builder.store_given(Local().worker_pool(at_hand, Resources(), self._watch))
        training = self._study.resources.training
        claims: Claims = RayClaims() if isinstance(connection, OnRay) else LocalClaims()
        make = partial(ArtifactWorker, self._artifacts, shared_data, claims, training)
        trainers = connection.worker_pool(make, training, self._watch, claims.release_all)
        if isinstance(connection, OnRay):
            with builder.beside(trainers, self._stop):
                asked, held = self._search_on_ray(plan, search, shared_data, connection)
        else:
            builder.fill(trainers)
            asked = held = self._search_here(search, shared_data)
        if self._stop.requested:
            return
        self._compose(plan.method_searches, search.rows)
        method_searches = [
            method_search for method_search in plan.method_searches if builder.can_confirm(method_search)
        ]
        builder.make_further(needed_by(confirmations(method_searches, search.rows)), trainers)
        if self._stop.requested:
            return
        make_confirmer = partial(with_contexts, Confirmer, self._artifacts, shared_data, asked)
        wanted = self._confirmable(confirmations(method_searches, search.rows), builder)
        self._confirm(wanted, connection.worker_pool(make_confirmer, held, self._watch), plan.confirmed)
        self._compact()
        self._tell_failures(method_searches, search)

    def _search_here(self, search: StudySearch, shared_data: SharedData) -> Resources:
        """Search in this process; return the resources of the worker, which has the process to itself."""
        trial = self._study.resources.trial
        resources = self._study.resources.training if trial == "auto" else trial
        if not search.finished:
            worker = with_contexts(TrialWorker, self._artifacts, shared_data, resources)
            run_here(search, worker, self._stop, self._follow(search))
        return resources

    def _search_on_ray(
        self, plan: Plan, search: StudySearch, shared_data: SharedData, cluster: OnRay
    ) -> tuple[Resources, Resources]:
        """Search on the cluster; return the resources of a worker at the beginning and at the end."""
        asked = self._resources_of_trials(plan, search, shared_data, cluster)
        if search.finished:
            return asked, asked
        from lethe.search.tune import run_on_tune

        make = partial(with_contexts, TrialWorker, self._artifacts, shared_data, asked)
        return asked, run_on_tune(self._study, search, make, cluster, asked, self._watch, self._follow(search))

    def _resources_of_trials(
        self, plan: Plan, search: StudySearch, shared_data: SharedData, cluster: OnRay
    ) -> Resources:
        """Return the resources that the study asks for, or measure them with the first trial that can be proposed."""
        asked = self._study.resources.trial
        if asked != "auto":
            return asked
        calibrator = Calibrator(
            plan.method_searches, self._store, partial(TrialContexts, self._artifacts, shared_data), self._watch
        )
        while not (search.finished or self._stop.requested):
            proposal = search.next_proposal()
            if proposal is not None:
                search.requeue(proposal)
                return calibrator.measure(proposal, node_types_of(cluster.nodes()))
            self._stop.wait(WAIT_S)
        return calibrator.known(node_types_of(cluster.nodes())) or self._study.resources.training

    def _compact(self) -> None:
        """Compact the store, and report what is broken."""
        for problem in compact(self._store, self._study.name):
            self._progress.say(problem)

    def _follow(self, search: StudySearch) -> Callable[[], None]:
        """Return the function to call after every report of the search."""
        compacted = search.ended

        def heard() -> None:
            nonlocal compacted
            self._show_search(search)
            if search.ended >= compacted + COMPACT_EVERY:
                compacted = search.ended
                self._compact()

        return heard

    def _begin(self, plan: Plan, search: StudySearch) -> None:
        """Show all the work of the run before it begins; what was done before counts as done."""
        work, record = work_of(plan), partial(write_progress, self._root)
        self._progress.begin(
            self._study.name,
            Stage(total=len(plan.missing) + plan.models_awaited, each=work.artifact),
            Stage(search.ended, search.planned, search.ended, work.trial),
            Stage(plan.confirmed, plan.confirmations_planned, plan.confirmed, work.confirmation),
            record,
        )

    def _show_search(self, search: StudySearch) -> None:
        titles = {one.scenario.fingerprint: one.scenario.title for one in search.method_searches}
        best = [
            Best(scenario=titles[row.scenario], method=row.method, gap=row.gap, original_gap=row.original_gap)
            for row in search.best
            if row.gap is not None
        ]
        self._progress.searched(search.ended, search.planned, search.running, search.failed, best)

    def _confirmable(self, wanted: Sequence[Confirmation], builder: ArtifactBuilder) -> list[Confirmation]:
        """Return the unconfirmed rows whose artifacts exist; report the others, a problem for each artifact."""
        confirmed = self._store.read("confirmations", self._study.name)["confirmation_id"].to_pylist()
        missing = missing_from(wanted, confirmed)
        lost = {one.confirmation_id: builder.lost(one) for one in missing}
        for artifact, count in Counter(chain.from_iterable(lost.values())).items():
            rows = "1 row of the table" if count == 1 else f"{count} rows of the table"
            self._problem(f"could not confirm {rows}: {artifact}, which these or their audits read, could not be made")
        return [one for one in missing if not lost[one.confirmation_id]]

    def _confirm(self, missing: Sequence[Confirmation], worker_pool: WorkerPool, before: int) -> None:
        self._progress.confirmed(before, before + len(missing))
        kept = KeptModels(self._study, self._artifacts, self._store)
        for count, done in enumerate(worker_pool.do(missing), start=1):
            if isinstance(done.error, StorageError):
                raise done.error
            if done.error is not None or done.result is None:
                self._problem(f"could not confirm {done.job.row} on seed {done.job.seed}: {done.error}")
            else:
                confirmed = done.result
                kept.record(done.job, confirmed)
                self._store.append_confirmation(confirmed.row, confirmed.predictions, confirmed.measures)
            self._progress.confirmed(before + count, before + len(missing))
        if kept.told:
            self._progress.say(kept.told)

    def _tell_failures(self, method_searches: Sequence[MethodSearch], search: StudySearch) -> None:
        failed = [row for row in search.rows if row.status == "failed"]
        if failed:
            which = "1 trial failed" if len(failed) == 1 else f"{len(failed)} trials failed; the first"
            self._problem(f"{which}, {failed[0].trial_id}: {failed[0].error}")
        for method_search in method_searches:
            if method_search.trials and not any(
                row.method_search == method_search.fingerprint and row.status == "done" for row in search.rows
            ):
                self._problem(f"{method_search.title}: no trial finished, so there is no setting to confirm")
        self._tell_limits(method_searches, search.rows)

    def _tell_limits(self, method_searches: Sequence[MethodSearch], trials: Sequence[TrialRow]) -> None:
        for method_search in method_searches:
            if told := beyond_limits(method_search, trials):
                self._problem(told)

    def _problem(self, text: str) -> None:
        """Print a problem now, and keep it for the end."""
        self.problems.append(text)
        self._progress.say(text)
