"""Streams of requests in a study: their scenarios, and which setting their searches take."""

from typing import Any

import pytest

from lethe.study import MethodSearch, expand, parse_study, scenarios_of
from unlearning.data import DataError, load

RANDOM: dict[str, Any] = {"kind": "random", "fraction": 0.3}
STREAM = {"kind": "stream", "of": RANDOM, "steps": 3}


def searches_of(**options: Any) -> list[MethodSearch]:
    content = {
        "name": "small",
        "data": [{"source": "synthetic", "train": 60, "val": 10, "test": 10, "size": 8}],
        "forget": [STREAM],
        "network": {"name": "cnn", "width": 4},
        "training": {"precision": "float32"},
        "methods": [{"name": "fine_tune"}, {"name": "salun"}],
    }
    study = parse_study(content | options, "study.yaml")
    return expand(study, {source: load(source) for source in study.data})


def test_a_method_is_searched_on_the_first_request_alone() -> None:
    fine_tune, salun = searches_of()
    assert [one.request.label for one in fine_tune.scenarios] == [
        "random 30 %, request 1 of 3",
        "random 30 %, requests 1-2 of 3",
        "random 30 %, requests 1-3 of 3",
    ]
    assert fine_tune.scenarios == salun.scenarios
    assert len(scenarios_of([fine_tune, salun])) == 3
    assert fine_tune.trials == 1


def test_controls_stand_beside_the_first_request_and_what_forgets_all_at_once_beside_the_last() -> None:
    _, salun = searches_of()
    assert [salun.rows_in(scenario) for scenario in salun.scenarios] == [
        ("salun", "salun density 1.0", "salun random mask"),
        ("salun",),
        ("salun", "salun at once"),
    ]


def test_a_step_leaves_out_what_earlier_requests_withdrew() -> None:
    [fine_tune, _] = searches_of()
    first, second, last = fine_tune.scenarios
    assert [len(one.partition(0).forgotten) for one in (first, second, last)] == [6, 12, 18]
    step = last.step(0)
    assert len(step.forgotten) == 6
    assert step.control.hash == second.partition(0).forgotten.hash
    assert step.retained.hash == last.retained.hash
    assert first.step(0) is first.partition(0)
    assert [one.first for one in fine_tune.scenarios] == [first] * 3


def test_after_the_last_request_the_scenario_is_that_of_the_whole_request() -> None:
    [fine_tune, _] = searches_of()
    [plain, _] = searches_of(forget=[RANDOM])
    assert fine_tune.scenarios[-1].fingerprint == plain.scenario.fingerprint
    assert not plain.later


def test_a_stream_beside_its_whole_request_is_one_scenario_by_two_names() -> None:
    with pytest.raises(DataError, match=r"one scenario by two names: .*requests 1-3 of 3"):
        searches_of(forget=[STREAM, RANDOM])


def test_a_method_that_goes_back_in_the_training_is_refused_for_later_requests() -> None:
    with pytest.raises(DataError, match="r2d: goes back to weights of before the end of the training"):
        searches_of(methods=[{"name": "fine_tune"}, {"name": "r2d"}])
