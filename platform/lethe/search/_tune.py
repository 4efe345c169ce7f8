"""Runs a study's search on Ray Tune: one run for all cells, warm workers, our own searcher between Tune and Optuna.

Tune schedules and restarts; it keeps nothing that a study needs later. Whatever it was doing when it died is asked for
again from the rows in the store.
"""

import logging
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from lethe.search._cell import Proposal
from lethe.search._deal import StudySearch
from lethe.search._report import Report
from lethe.search._worker import TrialTask, TrialWorker
from lethe.study import Share, Study

MAX_DEATHS = 5
"""How many workers may die under one trial before it has failed."""


class _Trainable(tune.Trainable):
    """A warm worker as Tune sees it: made once, then reset for one trial after another; a step is an epoch."""

    def setup(self, config: dict[str, Any], make_worker: Callable[[], TrialWorker]) -> None:
        self._worker = make_worker()
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        report = next(self._reports)
        return {"gap": report.gap, "report": report, "done": report.status != "running"}

    def _begin(self, config: dict[str, Any]) -> None:
        self._reports: Iterator[Report] = self._worker.run(config["task"])


class _Searcher(Searcher):
    """Gives Tune the trials that the study deals, and the study what Tune hears of them."""

    def __init__(self, search: StudySearch, show: Callable[[], None]) -> None:
        super().__init__(metric="gap", mode="min")
        self._search = search
        self._show = show
        self._proposals: dict[str, Proposal] = {}
        self._bereft: deque[Proposal] = deque()
        self._deaths: Counter[tuple[str, int]] = Counter()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        proposal = self._bereft.popleft() if self._bereft else self._search.next_proposal()
        if proposal is None:
            return Searcher.FINISHED if self._search.finished else None
        self._proposals[trial_id] = proposal
        return {"task": TrialTask.of(proposal)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._hear(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if result is not None and not error:
            self._hear(trial_id, result)
        proposal = self._proposals.pop(trial_id, None)
        if proposal is None:
            return
        if error:
            self._mourn(proposal)
        elif proposal.cell.study.search.early_stopping is not None:
            self._search.end(proposal, "stopped")
        self._show()

    def _mourn(self, proposal: Proposal) -> None:
        """Deal a trial again whose worker died, unless too many have.

        Tune's own retries do not serve: it has none for a trial whose reused worker dies while it is handed over.
        """
        key = (proposal.cell.fingerprint, proposal.number)
        self._deaths[key] += 1
        if self._deaths[key] < MAX_DEATHS:
            self._bereft.append(proposal)
        else:
            self._search.end(proposal, "failed", f"{MAX_DEATHS} workers died under this trial")

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out of the pickles that Tune writes for a restore that never comes."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the store has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """Bring back nothing: a search continues from the store."""

    def _hear(self, trial_id: str, result: dict[str, Any]) -> None:
        proposal = self._proposals.get(trial_id)
        if proposal is None:
            return
        self._search.report(proposal, result["report"])
        if result["report"].status != "running":
            del self._proposals[trial_id]
        self._show()


def run_on_tune(
    study: Study,
    search: StudySearch,
    make_worker: Callable[[], TrialWorker],
    concurrency: int,
    show: Callable[[], None],
) -> None:
    """Run the trials that the study deals until none is left, or until the run is interrupted.

    Args:
        concurrency: how many workers the cluster holds.
        show: called whenever something was heard.
    """
    folder = tempfile.mkdtemp(prefix="lethe-tune-")
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    trainable = tune.with_resources(tune.with_parameters(_Trainable, make_worker=make_worker), _request(study))
    try:
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                metric="gap",
                mode="min",
                search_alg=_Searcher(search, show),
                scheduler=_scheduler(study),
                num_samples=-1,
                max_concurrent_trials=concurrency,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=study.name,
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _request(study: Study) -> dict[str, float]:
    share: Share = study.resources.trial
    return {"cpu": share.cpu, "gpu": share.gpu}


def _scheduler(study: Study) -> TrialScheduler:
    early = study.search.early_stopping
    if early is None:
        return FIFOScheduler()
    longest = max(choice.longest for choice in study.methods)
    return ASHAScheduler(
        time_attr="training_iteration",
        max_t=max(longest, early.grace_epochs),
        grace_period=early.grace_epochs,
        reduction_factor=early.reduction,
    )
