"""Runs a study's search on Ray Tune: the adapter between Tune's interfaces and a `SearchSession`.

Tune schedules; it keeps nothing that a study needs later. Whatever it was doing when it died is proposed again from the
rows in the store. A Tune run serves all method searches and is a round of the session: until the search is over, until
nothing ran for a while (the slots go to trainings), or until a worker needs more resources; then the next begins.

Tune retries no trial here (``max_failures=0``): it has no retry for a worker that dies while it is handed to its next
trial, and cannot say why one died. The `Supervisor` decides. Where a line leans on what Tune does, a comment says so.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from lethe.execution.connection import OnRay
from lethe.execution.leftovers import temporary_folder
from lethe.execution.supervision import Supervisor, Watch
from lethe.search._epoch_report import Report
from lethe.search._optuna import Proposal
from lethe.search._session import START_WORKER, SearchSession
from lethe.search._study_search import StudySearch
from lethe.search._trainable import TrialTrainable, config_of
from lethe.search._worker import TrialWorker
from lethe.study import Resources, Study, scenarios_of

TICK_S: Final = 0.2

# Tune keeps one worker that has nothing to do, and stops the others.
SPARE_WORKERS: Final = 1

# Tune's own limit of concurrent trials; the session keeps to what the cluster holds at the moment.
NO_LIMIT: Final = 1_000_000


def run_on_tune(
    study: Study,
    search: StudySearch,
    make_worker: Callable[[], TrialWorker],
    cluster: OnRay,
    resources: Resources,
    watch: Watch,
    show: Callable[[], None],
) -> Resources:
    """Run the trials that the study proposes until none is left, or until somebody asks for a stop.

    Args:
        resources: of a worker.
        show: called whenever something was reported.

    Returns:
        The resources of a worker at the end: larger where one ran out of memory.

    Raises:
        ClusterError: workers die, hang or run out of memory before they are there.
        Exception: whatever making a worker, or keeping what it found, raises.
    """
    supervisor = Supervisor(resources, cluster.nodes, watch)
    session = SearchSession(search, supervisor, cluster.capacity, SPARE_WORKERS, show)
    # Tune logs each failed trial; the session reports what people should know.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    while not search.finished and not session.is_over:
        if session.has_next():
            with session.round():
                _run_tune(study, make_worker, session)
        else:
            supervisor.wait(TICK_S)
    if session.error is not None:
        raise session.error
    return supervisor.resources


def _run_tune(study: Study, make_worker: Callable[[], TrialWorker], session: SearchSession) -> None:
    hung_workers = _HungWorkerCallback(session)
    resources = session.resources
    # Tune copies, prints, keeps and saves all of a trial's configuration: so that names its scenario, which is here.
    scenarios = {scenario.fingerprint: ray.put(scenario) for scenario in scenarios_of(session.search.method_searches)}
    trainable = tune.with_parameters(TrialTrainable, make_worker=make_worker, resources=resources, scenarios=scenarios)
    with temporary_folder() as folder:
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": resources.cpu, "gpu": resources.gpu}),
            tune_config=tune.TuneConfig(
                metric="gap",
                mode="min",
                search_alg=_Searcher(session),
                scheduler=_scheduler(study),
                num_samples=-1,  # as many as the searcher suggests
                max_concurrent_trials=NO_LIMIT,
                reuse_actors=True,  # a finished trial's actor is reset for the next one: `TrialTrainable.reset_config`
            ),
            run_config=tune.RunConfig(
                name=study.name,
                storage_path=str(folder),
                verbose=0,
                stop=_RoundStopper(session, hung_workers),
                callbacks=[hung_workers],
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()


def _scheduler(study: Study) -> TrialScheduler:
    early = study.search.early_stopping
    if early is None:
        return _ToTheEnd()
    longest = max(choice.longest for choice in study.methods)
    return _Halving(
        time_attr="training_iteration",
        max_t=max(longest, early.grace_epochs),
        grace_period=early.grace_epochs,
        reduction_factor=early.reduction,
    )


class _Searcher(Searcher):
    """Passes the session's proposals to Tune, and Tune's results to the session.

    A trial is proposed only to a worker that is there, and workers are started by trials without a scenario. Tune would
    have a trial wait for a worker that starts, meanwhile reuse an idle one for it, and stop the one that starts: over
    and over, where trials are shorter than the start of a worker.
    """

    def __init__(self, session: SearchSession) -> None:
        super().__init__(metric="gap", mode="min")
        self._session = session

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        trial = self._session.next_trial(trial_id)
        if isinstance(trial, Proposal):
            return config_of(trial)
        if trial == START_WORKER:
            return {"scenario": None, "round": 0}
        # FINISHED ends the run once all trials have ended; None has Tune ask again.
        return Searcher.FINISHED if self._session.round_is_over or self._session.is_idle else None

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._report(trial_id, result["report"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        # Tune calls this instead of `on_trial_result` with the last result; without a result where it ends a trial that
        # has not begun; and with `error` before `_HungWorkerCallback.on_trial_error`, which knows the error.
        if error:
            return
        if result is not None:
            self._report(trial_id, result["report"])
        self._session.stopped(trial_id, by_scheduler=result is not None)

    def _report(self, trial_id: str, report: Report | Exception | None) -> None:
        if self._session.is_starting(trial_id):
            assert not isinstance(report, Report)
            self._session.started(trial_id, report)
        elif report is not None:
            self._session.report(trial_id, report)

    # Tune pickles searcher, callbacks and stopper into its own experiment state, for a restore that never comes.
    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the store has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a search continues from the store."""


class _HungWorkerCallback(tune.Callback):
    """Kills the workers that make no progress, and reports of what others died."""

    def __init__(self, session: SearchSession) -> None:
        self._session = session
        self._supervisor = session.supervisor
        self._known = 0
        self._open: dict[str, Trial] = {}

    @property
    def has_workers(self) -> bool:
        """Whether some trial has a worker."""
        return any(_actor_of(trial) for trial in self._open.values())

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        # Tune's loop comes here several times a second. It appends to its list of trials and removes none.
        self._open |= {trial.trial_id: trial for trial in trials[self._known :]}
        self._known = len(trials)
        for name, trial in self._open.items():
            # A trial has its actor from the time that one is ready for it, before Tune says that the trial started.
            if _actor_of(trial) is None:
                self._supervisor.end_step(name)
            elif not self._supervisor.is_on_step(name):
                self._supervisor.begin_step(name)
        for hung in self._supervisor.newly_hung():
            ray.kill(_actor_of(self._open[str(hung)]))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        # Tune asks the actor for its next step right after this.
        self._supervisor.begin_step(trial.trial_id)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._close(trial)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._close(trial)
        # The error as it was raised; `trial.error_file` has its text alone.
        self._session.lost(trial.trial_id, trial.get_pickled_error())

    def _close(self, trial: Trial) -> None:
        self._open.pop(trial.trial_id, None)
        self._supervisor.end_step(trial.trial_id)


def _actor_of(trial: Trial) -> Any | None:
    # Tune has no public way from a trial to its actor.
    return trial.temporary_state.ray_actor


class _RoundStopper(Stopper):
    """Ends trials after their running epoch once the search is over, and those that wait for a worker with the last."""

    def __init__(self, session: SearchSession, workers: _HungWorkerCallback) -> None:
        self._session = session
        self._workers = workers

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        # Asked after each result.
        return self._session.is_over

    def stop_all(self) -> bool:
        # Asked in each turn of Tune's loop; it ends the run, and trials that wait for an actor with it.
        return self._session.round_is_over and not self._workers.has_workers

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _QueueOrder:
    """Leaves the next trial to Tune's queue, where a free worker gets the trial that was proposed for it.

    A scheduler's own choice would be the one that waits longest: one that starts another worker.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        # None has Tune take the pending trials in the order in which they were suggested.
        return None


class _ToTheEnd(_QueueOrder, FIFOScheduler):
    """Stops no trial."""


class _Halving(_QueueOrder, ASHAScheduler):
    """Stops a trial that is not among the best after so many epochs.

    One without a scenario is no trial, and a run of the race, on another seed, goes to the end: its gap is compared by
    the race.
    """

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        if trial.config["round"]:
            return str(TrialScheduler.CONTINUE)
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        # ASHA counts the metric of every trial that completes.
        if trial.config["scenario"] is not None and not trial.config["round"]:
            super().on_trial_complete(tune_controller, trial, result)
