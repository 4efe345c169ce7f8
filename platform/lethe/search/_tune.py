"""Runs a study's search on Ray Tune: warm workers, our own searcher between Tune and Optuna.

Tune schedules; it keeps nothing that a study needs later. Whatever it was doing when it died is asked for again from
the rows in the store. A Tune run serves all method searches, until the search is over, until there has been nothing to
deal for a while (the slots go to those who train), or until a worker needs more room; then the next one begins.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import ray
from ray import ObjectRef, tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from lethe.execution.connection import OnRay
from lethe.execution.device import cap_memory
from lethe.execution.failures import Cause, ClusterError, cause_of, given_up, told
from lethe.execution.leftovers import temporary_folder
from lethe.execution.resources import larger
from lethe.execution.worker_pool import Watch
from lethe.search._epoch_report import Report
from lethe.search._optuna import Proposal
from lethe.search._study_search import StudySearch
from lethe.search._worker import TrialTask, TrialWorker
from lethe.study import Resources, Scenario, Study, scenarios_of

IDLE_S = 5.0
"""After this long with nothing to deal and nothing running the workers give their room back."""

TICK_S = 0.2

NO_LIMIT = 1_000_000
"""Tune's own limit of concurrent trials; the searcher keeps to what the cluster holds at the moment."""


class _Trainable(tune.Trainable):
    """A warm worker as Tune sees it: made once, then reset for one trial after another; a step is an epoch.

    It is made in its first step, which is watched as every other, and which is that of a trial without a scenario: see
    `_Searcher`. What that raises is a report, the last one: Tune would hide it.
    """

    def setup(
        self,
        config: dict[str, Any],
        make_worker: Callable[[], TrialWorker],
        resources: Resources,
        scenarios: dict[str, ObjectRef[Scenario]],
    ) -> None:
        self._make_worker = make_worker
        self._resources = resources
        self._scenarios = scenarios
        self._reports = self._run(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._reports = self._run(new_config)
        return True

    def step(self) -> dict[str, Any]:
        try:
            report = next(self._reports)
        except Exception as error:
            return _outcome(error)
        if report is None:
            return _outcome(None)
        return {"gap": report.gap, "report": report, "done": report.status != "running"}

    @cached_property
    def _worker(self) -> TrialWorker:
        cap_memory(self._resources)
        return self._make_worker()

    def _run(self, config: dict[str, Any]) -> Iterator[Report | None]:
        """Run a trial; without a scenario, only have the worker made."""
        worker = self._worker
        if config["scenario"] is None:
            yield None
            return
        scenario = ray.get(self._scenarios[config["scenario"]])
        yield from worker.run(TrialTask(scenario, config["method"], config["seeds"]))


def _outcome(error: Exception | None) -> dict[str, Any]:
    """Report what no trial is to blame for: an error, or that the worker is there."""
    return {"gap": math.inf, "report": error, "done": True}


class _Desk:
    """Between Tune and the search: what is dealt, what becomes of it, and what ends a Tune run.

    Attributes:
        resources: of a worker; larger once a smaller one ran out of memory.
        error: what ends the whole run.
    """

    def __init__(
        self, search: StudySearch, cluster: OnRay, resources: Resources, watch: Watch, show: Callable[[], None]
    ) -> None:
        self.search = search
        self.watch = watch
        self.resources = resources
        self.error: Exception | None = None
        self._cluster = cluster
        self._show = show
        self._next: Proposal | None = None
        self._missed: Counter[Cause] = Counter()

    @property
    def over(self) -> bool:
        """Tell whether nothing more is to be dealt, and what runs is to end with its epoch."""
        return self.error is not None or self.watch.stop.requested

    @property
    def capacity(self) -> int:
        """Count the workers that the cluster holds at the moment."""
        return self._cluster.capacity(self.resources)

    def has_next(self) -> bool:
        """Tell whether a trial can be dealt now."""
        if self._next is None:
            self._next = self.search.next_proposal()
        return self._next is not None

    def take_next(self) -> Proposal | None:
        """Deal a trial."""
        proposal, self._next = self._next or self.search.next_proposal(), None
        return proposal

    def hear(self, proposal: Proposal, report: Report | Exception, resources: Resources) -> bool:
        """Take what a worker of these resources says; tell whether the trial has ended with it."""
        if isinstance(report, Exception):
            self.search.requeue(proposal)
            raise report
        if report.cause == "memory" and self._enlarge(resources):
            self.search.lose(proposal, "memory", report.error or "")
            return True
        self.search.report(proposal, report)
        self._show()
        return report.status != "running"

    def lose(self, proposal: Proposal, error: Exception | None, resources: Resources, *, hung: bool) -> None:
        """Take a trial back whose worker of these resources died of the error."""
        cause = _cause(error, hung)
        if cause == "memory" and not self._enlarge(resources):
            self.search.end(proposal, "failed", str(error), cause)
        else:
            self.search.lose(proposal, cause, str(error))
        self._show()

    def greet(self, error: Exception | None, resources: Resources) -> None:
        """Take it that a worker of these resources is there, or what making it raised."""
        if error is None:
            self._missed.clear()
        elif cause_of(error) == "code":
            raise error
        else:
            self.miss(error, resources, hung=False)

    def miss(self, error: Exception | None, resources: Resources, *, hung: bool) -> None:
        """Take it that a worker of these resources does not come, and see whether to call another."""
        cause = _cause(error, hung)
        self._missed[cause] += 1
        if given_up(self._missed) or (cause == "memory" and not self._enlarge(resources)):
            raise ClusterError(
                f"could not start a worker with {resources}: it {told(self._missed)}; the last time: {error}"
            )

    def _enlarge(self, resources: Resources) -> bool:
        """Have fewer workers, of more room than this one, from the next Tune run on; tell whether there is more."""
        if resources != self.resources:
            return True
        more = larger(resources, self._cluster.nodes())
        if more is None:
            return False
        self.watch.say(f"Out of memory in a worker of {resources}: going on with fewer workers, of {more} each.")
        self.resources = more
        return True

    @contextmanager
    def keeping_errors(self) -> Iterator[None]:
        """Keep an error for the end of the run: Tune would end with one of its own."""
        try:
            yield
        except Exception as error:
            self.error = self.error or error


def _cause(error: Exception | None, hung: bool) -> Cause:
    if hung:
        return "hung"
    return cause_of(error) if error else "worker"


class _Searcher(Searcher):
    """Gives Tune the trials that the study deals, and the study what Tune hears of them; serves one Tune run.

    A trial is dealt only to a worker that is there, and workers are called by trials without a scenario. Tune would
    have a trial wait for a worker on its way, give it a free one meanwhile and send the other home: over and over,
    where trials are shorter than the start of a worker.
    """

    def __init__(self, desk: _Desk) -> None:
        super().__init__(metric="gap", mode="min")
        self._desk = desk
        self._resources = desk.resources
        self._proposals: dict[str, Proposal] = {}
        self._called: set[str] = set()
        self._here = 0
        """Workers that are there: those with a trial and, as far as one can tell, those that Tune keeps without."""
        self._idle_since = time.monotonic()

    @property
    def has_ended(self) -> bool:
        """Tell whether this Tune run deals no more."""
        return self._desk.over or self._desk.resources != self._resources or self._desk.search.finished

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        with self._desk.keeping_errors():
            if not self.has_ended and (config := self._next(trial_id)):
                return config
        return Searcher.FINISHED if self.has_ended or self._is_idle() else None

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._hear(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Take the last report; a trial that ended in an error is told by `lose`, which knows which."""
        if error:
            return
        if result is not None:
            self._hear(trial_id, result)
        proposal = self._forget(trial_id)
        if proposal is None:
            return
        with self._desk.keeping_errors():
            if self._desk.over or result is None:
                self._desk.search.requeue(proposal)
            else:
                self._desk.search.end(proposal, "stopped")

    def lose(self, trial_id: str, error: Exception | None, *, hung: bool) -> None:
        """Take back a trial whose worker died."""
        with self._desk.keeping_errors():
            if trial_id in self._called:
                self._called.remove(trial_id)
                self._desk.miss(error, self._resources, hung=hung)
            elif proposal := self._forget(trial_id):
                self._here -= 1
                self._desk.lose(proposal, error, self._resources, hung=hung)

    def take_back(self) -> None:
        """Have the trials dealt again that the Tune run ended before they could begin."""
        for trial_id in list(self._proposals):
            proposal = self._forget(trial_id)
            if proposal is not None:
                self._desk.search.requeue(proposal)

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out of the pickles that Tune writes for a restore that never comes."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the store has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Bring back nothing: a search continues from the store."""

    def _next(self, trial_id: str) -> dict[str, Any] | None:
        """Deal a trial if a worker is free, else call another worker if there is room; None: neither."""
        if len(self._proposals) < self._here:
            proposal = self._desk.take_next()
            if proposal is not None:
                self._proposals[trial_id] = proposal
                return _config(proposal)
            self._here = min(self._here, len(self._proposals) + 1)  # Tune keeps one worker that has nothing to do
        elif self._here + len(self._called) < self._desk.capacity and self._desk.has_next():
            self._called.add(trial_id)
            return {"scenario": None}
        return None

    def _is_idle(self) -> bool:
        return not (self._proposals or self._called) and time.monotonic() - self._idle_since >= IDLE_S

    def _hear(self, trial_id: str, result: dict[str, Any]) -> None:
        with self._desk.keeping_errors():
            if trial_id in self._called:
                self._called.remove(trial_id)
                self._here += 1
                self._idle_since = time.monotonic()
                self._desk.greet(result["report"], self._resources)
                return
            proposal = self._proposals.get(trial_id)
            if proposal is not None and self._desk.hear(proposal, result["report"], self._resources):
                self._forget(trial_id)

    def _forget(self, trial_id: str) -> Proposal | None:
        self._idle_since = time.monotonic()
        return self._proposals.pop(trial_id, None)


class _Attendant(tune.Callback):
    """Sees to the workers of a Tune run: kills those that make no progress, and tells of what others died.

    A trial has its worker from the time that one is ready for it, which is before Tune says that the trial has started.
    """

    def __init__(self, searcher: _Searcher, watch: Watch) -> None:
        self._searcher = searcher
        self._watch = watch
        self._known = 0
        self._open: dict[str, Trial] = {}
        self._heard: dict[str, float] = {}
        self._hung: set[str] = set()

    @property
    def has_workers(self) -> bool:
        """Tell whether some trial has a worker."""
        return any(_worker_of(trial) for trial in self._open.values())

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out of Tune's pickles, as the searcher does."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self._open |= {trial.trial_id: trial for trial in trials[self._known :]}
        self._known = len(trials)
        now = time.monotonic()
        for name, trial in self._open.items():
            worker = _worker_of(trial)
            if worker is None:
                self._heard[name] = now
            elif now - self._heard.setdefault(name, now) > self._watch.hung_after_s and name not in self._hung:
                self._hung.add(name)
                self._watch.tell_of_a_hung_worker()
                ray.kill(worker)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        self._heard[trial.trial_id] = time.monotonic()

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._part_with(trial)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._part_with(trial)
        self._searcher.lose(trial.trial_id, trial.get_pickled_error(), hung=trial.trial_id in self._hung)

    def _part_with(self, trial: Trial) -> None:
        self._open.pop(trial.trial_id, None)
        self._heard.pop(trial.trial_id, None)


def _worker_of(trial: Trial) -> Any | None:
    return trial.temporary_state.ray_actor


class _WhenOver(Stopper):
    """Ends trials after their running epoch once the run is over, and those that wait for a worker with the last."""

    def __init__(self, desk: _Desk, searcher: _Searcher, attendant: _Attendant) -> None:
        self._desk = desk
        self._searcher = searcher
        self._attendant = attendant

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self._desk.over

    def stop_all(self) -> bool:
        return self._searcher.has_ended and not self._attendant.has_workers

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out of Tune's pickles, as the searcher does."""
        return {}


class _InTurn:
    """Leaves the next trial to Tune's queue, where a free worker gets the trial that was dealt for it.

    A scheduler's own choice would be the one that waits longest: one that calls for another worker.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        return None


class _ToTheEnd(_InTurn, FIFOScheduler):
    """Stops no trial."""


class _Halving(_InTurn, ASHAScheduler):
    """Stops a trial that is not among the best after so many epochs; one without a scenario is no trial."""

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        if trial.config["scenario"] is not None:
            super().on_trial_complete(tune_controller, trial, result)


def _config(proposal: Proposal) -> dict[str, Any]:
    """Write a trial down for Tune, which copies, prints, keeps and saves all of it: so the scenario by name."""
    task = TrialTask.of(proposal)
    return {"scenario": task.scenario.fingerprint, "method": task.method, "seeds": task.seeds}


def run_on_tune(
    study: Study,
    search: StudySearch,
    make_worker: Callable[[], TrialWorker],
    cluster: OnRay,
    resources: Resources,
    watch: Watch,
    show: Callable[[], None],
) -> Resources:
    """Run the trials that the study deals until none is left, or until somebody asks for a stop.

    Args:
        resources: of a worker.
        show: called whenever something was heard.

    Returns:
        The room of a worker at the end: larger where that one ran out of memory.

    Raises:
        Exception: whatever making a worker, or keeping what it found, raises.
    """
    desk = _Desk(search, cluster, resources, watch, show)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    while not search.finished and not desk.over:
        if desk.has_next():
            _run_once(study, make_worker, desk)
        else:
            watch.stop.wait(TICK_S)
    if desk.error is not None:
        raise desk.error
    return desk.resources


def _run_once(study: Study, make_worker: Callable[[], TrialWorker], desk: _Desk) -> None:
    searcher = _Searcher(desk)
    attendant = _Attendant(searcher, desk.watch)
    scenarios = {scenario.fingerprint: ray.put(scenario) for scenario in scenarios_of(desk.search.method_searches)}
    trainable = tune.with_parameters(_Trainable, make_worker=make_worker, resources=desk.resources, scenarios=scenarios)
    with temporary_folder() as folder:
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": desk.resources.cpu, "gpu": desk.resources.gpu}),
            tune_config=tune.TuneConfig(
                metric="gap",
                mode="min",
                search_alg=searcher,
                scheduler=_scheduler(study),
                num_samples=-1,
                max_concurrent_trials=NO_LIMIT,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=study.name,
                storage_path=str(folder),
                verbose=0,
                stop=_WhenOver(desk, searcher, attendant),
                callbacks=[attendant],
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
        searcher.take_back()


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
