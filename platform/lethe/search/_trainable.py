"""A worker as Ray Tune runs it: the one module of the search's side of Tune that its process imports."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ray
from ray import ObjectRef, tune

from lethe.execution.memory_limit import cap_memory
from lethe.search._epoch_report import Report
from lethe.search._worker import TrialTask, TrialWorker
from lethe.study import Resources, Scenario

if TYPE_CHECKING:
    from lethe.search._optuna import Proposal


class TrialTrainable(tune.Trainable):
    """A warm worker as Tune sees it: made once, then reset for one trial after another; a step is an epoch.

    A trial without a scenario starts a worker: its one step makes it.
    """

    def setup(
        self,
        config: dict[str, Any],
        make_worker: Callable[[], TrialWorker],
        resources: Resources,
        scenarios: dict[str, ObjectRef[Scenario]],
    ) -> None:
        # Nothing is made here: Tune watches no setup for hanging, and hides what one raises.
        self._make_worker = make_worker
        self._resources = resources
        self._scenarios = scenarios
        self._reports = self._run(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        # Tune makes a new actor if this is not True.
        self._reports = self._run(new_config)
        return True

    def step(self) -> dict[str, Any]:
        # An exception would have Tune discard the actor and keep the error as text: so an error is a last report.
        try:
            report = next(self._reports)
        except Exception as error:
            return _result(error, math.inf, is_last=True)
        if report is None:
            return _result(None, math.inf, is_last=True)
        return _result(report, report.gap, is_last=report.status != "running")

    @cached_property
    def _worker(self) -> TrialWorker:
        cap_memory(self._resources.cpu, self._resources.gpu)
        return self._make_worker()

    def _run(self, config: dict[str, Any]) -> Iterator[Report | None]:
        """Run a trial; without a scenario, only have the worker made."""
        worker = self._worker
        if config["scenario"] is None:
            yield None
            return
        scenario = ray.get(self._scenarios[config["scenario"]])
        yield from worker.run(task_of(config, scenario))


def config_of(proposal: "Proposal") -> dict[str, Any]:
    """Return Tune's configuration of a trial, which names its scenario."""
    rest = dict(vars(TrialTask.of(proposal)))
    return {"scenario": rest.pop("scenario").fingerprint, "rest": rest, "round": proposal.round}


def task_of(config: dict[str, Any], scenario: Scenario) -> TrialTask:
    """Return the task of a trial's configuration."""
    return TrialTask(scenario, **config["rest"])


def _result(report: Report | Exception | None, gap: float, *, is_last: bool) -> dict[str, Any]:
    # Tune ends a trial whose result says "done". Every result needs the metric, "gap".
    return {"gap": gap, "report": report, "done": is_last}
