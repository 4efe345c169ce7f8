"""From how many requests on a method will pay, as a plan estimates it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lethe.artifacts import ArtifactStore
from lethe.pipeline.break_even import BreakEven, break_evens, in_words
from lethe.pipeline.estimate import Estimate
from lethe.pipeline.plan import Plan, make_plan
from lethe.results import Store
from lethe.storage.root import StorageRoot
from lethe.study import read_study

SEARCH = {"lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True}}


@pytest.fixture
def plan_of(tmp_path: Path, write_study: Callable[..., Path]) -> Callable[..., Plan]:
    def plan(**options: Any) -> Plan:
        root = StorageRoot.at(tmp_path / "results")
        return make_plan(read_study(write_study(**options)), ArtifactStore(root), Store(root))

    return plan


def test_parts_are_retrainings_by_epochs_and_images(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(methods=[{"name": "fine_tune", "epochs": 1, "search": SEARCH}])
    [found] = break_evens(plan)
    assert found.unlearning == pytest.approx(160 / (3 * 128)), "an epoch over D, of three over D_r"
    assert found.tuning == pytest.approx(5 * found.unlearning)
    assert found.models == 5, "three originals but for one, and three oracles"
    assert found.confirming == pytest.approx(2 * found.unlearning)
    assert found.requests == 14


def test_an_original_of_two_requests_counts_for_both(plan_of: Callable[..., Plan]) -> None:
    requests = [{"kind": "random", "fraction": 0.2}, {"kind": "class", "class_index": 1, "fraction": 0.5}]
    assert [one.models for one in break_evens(plan_of(forget=requests))] == [5, 5]


def test_a_method_that_is_as_long_as_retraining_never_pays(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(methods=[{"name": "fine_tune", "epochs": 3}])
    assert [one.requests for one in break_evens(plan)] == [None]
    [told] = in_words(plan, Estimate(1.0, 1, 1, (), "", training_s=90.0))
    assert "cost less than a retraining at each: never (fine_tune). In retrainings (about 90 s each)" in told


@pytest.mark.parametrize(("setup", "requests"), [(6, 13), (5.9, 12)])
def test_it_is_the_first_number_that_costs_less(setup: int, requests: int, plan_of: Callable[..., Plan]) -> None:
    [method_search] = plan_of().method_searches
    found = BreakEven(method_search, tuning=setup, models=0, confirming=0.0, unlearning=0.5)
    assert found.requests == requests
    assert setup + requests * 0.5 < requests
    assert setup + (requests - 1) * 0.5 >= requests - 1
