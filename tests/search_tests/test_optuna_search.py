"""The search of one method search, without workers: what it proposes, in which order it learns, how it continues."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from lethe.search._optuna import OptunaSearch, Outcome, Setting
from lethe.study import MethodSearch, expand, read_study
from unlearning.data import load

WriteStudy = Callable[..., Path]


@pytest.fixture
def make_cell(write_study: WriteStudy) -> Callable[..., MethodSearch]:
    def make(**search: Any) -> MethodSearch:
        study = read_study(write_study(search={"trials": 14, "window": 3} | search))
        [method_search] = expand(study, {source: load(source) for source in study.data})
        return method_search

    return make


def outcome(setting: Setting) -> Outcome:
    return Outcome("done", (abs(math.log10(setting["lr"]) + 2) + setting["density"],))


def run(search: OptunaSearch, latest_first: bool = False) -> list[Setting]:
    """Keeps as many trials open as the search allows and ends one of them at a time."""
    settings: dict[int, Setting] = {}
    running = []
    while True:
        while (proposal := search.propose()) is not None:
            settings[proposal.number] = proposal.setting
            running.append(proposal)
        if not running:
            return [settings[number] for number in sorted(settings)]
        ended = running.pop(-1 if latest_first else 0)
        search.settle(ended.number, outcome(ended.setting))


@pytest.mark.parametrize("options", [{"sampler": "tpe"}, {"sampler": "random"}, {"sampler": "gp", "trials": 5}])
def test_settings_do_not_depend_on_the_order_in_which_trials_end(
    make_cell: Callable[..., MethodSearch], options: dict[str, Any]
) -> None:
    method_search = make_cell(**{"startup": 1} | options)
    assert run(OptunaSearch(method_search, {})) == run(OptunaSearch(method_search, {}), latest_first=True)


@pytest.mark.parametrize("known_numbers", [range(0), range(6), [0, 1, 2, 4, 5, 7], range(14)])
def test_a_continued_search_proposes_what_an_undisturbed_one_does(
    make_cell: Callable[..., MethodSearch], known_numbers: list[int]
) -> None:
    method_search = make_cell()
    settings = run(OptunaSearch(method_search, {}))
    known = {number: (settings[number], outcome(settings[number])) for number in known_numbers}
    continued = OptunaSearch(method_search, known)
    assert run(continued) == [setting for number, setting in enumerate(settings) if number not in known]
    assert continued.finished


def test_a_longer_search_begins_with_the_trials_of_the_shorter(make_cell: Callable[..., MethodSearch]) -> None:
    assert run(OptunaSearch(make_cell(trials=14), {}))[:6] == run(OptunaSearch(make_cell(trials=6), {}))


def test_no_more_than_the_window_and_one_run_at_a_time(make_cell: Callable[..., MethodSearch]) -> None:
    search = OptunaSearch(make_cell(window=3), {})
    assert [proposal.number for proposal in iter(search.propose, None)] == [0, 1, 2, 3]


def test_with_early_stopping_a_long_trial_holds_no_other_back(make_cell: Callable[..., MethodSearch]) -> None:
    told: list[FrozenTrial] = []
    search = OptunaSearch(make_cell(trials=9, window=2, early_stopping={"grace_epochs": 1}), {}, told.append)
    longest, *others = iter(search.propose, None)
    while others:
        ended = others.pop()
        search.settle(ended.number, outcome(ended.setting))
        others += iter(search.propose, None)
    search.settle(longest.number, outcome(longest.setting))
    assert search.finished
    assert sorted(trial.number for trial in told) == list(range(9))
    assert told[-1].number == 0


def test_optuna_is_told_in_order_and_told_the_truth(make_cell: Callable[..., MethodSearch]) -> None:
    told: list[FrozenTrial] = []
    search = OptunaSearch(make_cell(trials=4, window=4), {}, told.append)
    proposals = list(iter(search.propose, None))
    outcomes = [
        Outcome("done", (0.3, 0.1)),
        Outcome("diverged", (None,)),
        Outcome("stopped", (0.5, None, 0.4)),
        Outcome("failed", ()),
    ]
    for proposal, how in reversed(list(zip(proposals, outcomes, strict=True))):
        search.settle(proposal.number, how)
    assert [trial.number for trial in told] == [0, 1, 2, 3]
    assert [(trial.state, trial.value) for trial in told] == [
        (TrialState.COMPLETE, 0.1),
        (TrialState.COMPLETE, 1.0),
        (TrialState.PRUNED, 0.4),
        (TrialState.FAIL, None),
    ]
    assert [trial.intermediate_values for trial in told] == [{1: 0.3, 2: 0.1}, {}, {1: 0.5, 3: 0.4}, {}]
    assert [trial.user_attrs["status"] for trial in told] == ["done", "diverged", "stopped", "failed"]


def test_a_setting_that_comes_again_says_which_trial_had_it(
    make_cell: Callable[..., MethodSearch], write_study: WriteStudy
) -> None:
    choice = {"name": "salun", "epochs": 2, "search": {"relabel": ["any", "other"]}}
    study = read_study(write_study(methods=[choice], search={"trials": 5, "window": 4}))
    [method_search] = expand(study, {source: load(source) for source in study.data})
    proposals = list(iter(OptunaSearch(method_search, {}).propose, None))
    firsts = {proposal.setting["relabel"]: proposal.number for proposal in reversed(proposals)}
    assert len(proposals) == 5
    for proposal in proposals:
        first = firsts[proposal.setting["relabel"]]
        assert proposal.repeats == (None if first == proposal.number else first)
