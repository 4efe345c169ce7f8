"""The section `methods`: what is fixed, searched or kept of each."""

from typing import Any

import pytest
from smallest_study import complaint_at, complaints, content, searching

from lethe.study import Choices, StudyError, parse_study
from unlearning.methods import METHODS, SalUn


def test_the_longest_trial_of_a_method_is_known_before_it_runs() -> None:
    def longest(**method: Any) -> int:
        return parse_study(content(methods=[{"name": "salun", **method}]), "study.yaml").methods[0].longest

    assert longest(epochs=4, search={"lr": {"low": 0.1, "high": 0.2}}) == 4
    assert longest(search={"epochs": {"low": 2, "high": 7}}) == 7
    assert longest(search={"epochs": [5, 3]}) == 5


def test_a_range_that_is_upside_down_is_refused() -> None:
    said = complaint_at("methods.0.search.lr", **searching(lr={"low": 0.2, "high": 0.1}))
    assert said == "a range runs from low to high, got low 0.2 and high 0.1"


def test_a_logarithmic_range_that_begins_at_0_is_refused() -> None:
    said = complaint_at("methods.0.search.lr", **searching(lr={"low": 0.0, "high": 0.1, "log": True}))
    assert said == "a logarithmic range lies above 0, got low 0"


def test_one_alternative_is_nothing_to_search() -> None:
    assert "at least 2" in complaint_at("methods.0.search.loop", **searching(loop=["mixed"]))


@pytest.mark.parametrize(
    ("dimensions", "wrong"),
    [
        ({"density": {"low": 0.1, "high": 1.5}}, "density: wanted a number of at most 1, got 1.5"),
        ({"epochs": {"low": 0, "high": 3}}, "epochs: wanted a number of at least 1, got 0"),
        ({"loop": ["mixed", "mixd"]}, "loop: wanted 'sequential' or 'mixed', got 'mixd'; did you mean mixed?"),
    ],
    ids=["high", "low", "choice"],
)
def test_an_end_of_a_range_outside_the_methods_own_bounds_is_refused(dimensions: dict[str, Any], wrong: str) -> None:
    lines = complaints(**searching(**dimensions))
    assert any(line.startswith("methods.0.") and line.endswith(wrong) for line in lines)


def searched(**entry: Any) -> dict[str, Any]:
    [choice] = parse_study(content(methods=[entry]), "study.yaml").methods
    return choice.search


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.ranges])
def test_the_default_search_is_over_the_ranges_that_the_method_declares(name: str) -> None:
    assert searched(name=name, search="default") == METHODS[name].ranges


def test_the_default_search_leaves_out_what_is_fixed() -> None:
    assert searched(name="fine_tune", lr=0.01, search="default").keys() == {"schedule"}


def test_a_single_range_may_be_the_declared_one() -> None:
    found = searched(name="salun", search={"lr": "default", "loop": ["sequential", "mixed"]})
    assert found == {"lr": SalUn.ranges["lr"], "loop": Choices(choices=("sequential", "mixed"))}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "nothing", "search": "default"}, "search: nothing has no default ranges, none left to search"),
        (
            {"name": "fine_tune", "lr": 0.1, "schedule": "cosine", "search": "default"},
            "search: fine_tune has default ranges for lr, schedule alone, none left to search",
        ),
        (
            {"name": "fine_tune", "search": {"momentum": "default"}},
            "search.momentum: fine_tune has default ranges for lr, schedule alone",
        ),
        ({"name": "fine_tune", "search": "defualt"}, "wanted a mapping of options, or default, got 'defualt'"),
        ({"name": "fine_tun", "search": "default"}, "unknown method 'fine_tun'; did you mean fine_tune?"),
    ],
    ids=["none", "all fixed", "one", "another word", "unknown method"],
)
def test_a_default_search_that_cannot_be_is_refused(entry: dict[str, Any], said: str) -> None:
    [line] = complaints(methods=[entry])
    assert said in line


def test_an_option_that_is_both_fixed_and_searched_is_refused() -> None:
    method = {"name": "salun", "lr": 0.1, "search": {"lr": {"low": 0.01, "high": 0.1}}}
    assert complaint_at("methods.0.lr", methods=[method]) == "given as fixed and under search; keep one"


def test_a_method_is_asked_once() -> None:
    with pytest.raises(StudyError, match="methods: named twice: salun"):
        parse_study(content(methods=[{"name": "salun"}, {"name": "salun", "density": 0.3}]), "study.yaml")


def test_a_methods_example_and_longest_run_know_the_types_of_what_is_searched() -> None:
    ranges = {"epochs": {"low": 2, "high": 8}, "batch_size": {"low": 32, "high": 256, "log": True}}
    [choice] = parse_study(searching(loop=["mixed", "sequential"], **ranges), "study.yaml").methods
    assert choice.example == SalUn(epochs=2, batch_size=32, loop="mixed")
    assert choice.longest == 8
    [fixed] = parse_study(searching(batch_size={"low": 32, "high": 256}), "study.yaml").methods
    assert fixed.longest == SalUn().epochs


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ({"name": "ssd", "keep": "rewind"}, "rewind takes a trial of 1 or more epochs, got 0 of ssd; wanted last"),
        ({"name": "salun", "epochs": 1, "keep": "best"}, "best takes a trial of 2 or more epochs, got 1 of salun"),
        ({"name": "scrub", "rewind": True, "keep": "rewind"}, "this setting of scrub returns to an epoch by itself"),
        ({"name": "salun", "keep": "bset"}, "wanted 'last', 'best' or 'rewind', got 'bset'; did you mean best?"),
    ],
    ids=["no epochs", "one epoch", "rewinds already", "misspelt"],
)
def test_keeping_an_epoch_is_refused_where_there_is_none_to_choose(method: dict[str, Any], said: str) -> None:
    assert said in complaint_at("methods.0.keep", methods=[method])
