"""What reaches a worker on Ray Tune, without Ray."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lethe.search._optuna import OptunaSearch
from lethe.search._trainable import config_of, task_of
from lethe.search._worker import TrialTask
from lethe.search.tune import _scheduler
from lethe.study import expand, read_study
from unlearning.data import load


@pytest.mark.parametrize("keep", ["last", "best", "rewind"])
def test_a_worker_on_tune_gets_the_task_that_one_without_ray_gets(write_study: Callable[..., Path], keep: str) -> None:
    method = {"name": "salun", "epochs": 2, "keep": keep, "search": {"lr": {"low": 0.001, "high": 0.1}}}
    study = read_study(write_study(methods=[method]))
    [method_search] = expand(study, {source: load(source) for source in study.data})
    proposal = OptunaSearch(method_search, {}).propose()
    assert proposal is not None
    task = TrialTask.of(proposal)
    assert task_of(config_of(proposal), method_search.scenario) == task
    assert task.rewind == (keep == "rewind")


@pytest.mark.parametrize("early", [{}, {"grace_epochs": 2, "reduction": 2}, {"grace_epochs": 3}, {"grace_epochs": 30}])
@pytest.mark.parametrize("epochs", [1, 3, 9, 20, 27])
def test_a_trial_is_measured_wherever_asha_may_stop_it(
    write_study: Callable[..., Path], early: dict[str, int], epochs: int
) -> None:
    study = read_study(write_study(methods=[{"name": "fine_tune", "epochs": epochs}], search={"early_stopping": early}))
    [method_search] = expand(study, {source: load(source) for source in study.data})
    # Ray has no public way to the rungs.
    milestones = {milestone for milestone, _ in _scheduler(study)._brackets[0]._rungs if milestone < epochs}
    assert set(method_search.measured_after(epochs)) == milestones
