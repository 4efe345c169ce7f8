"""Controls that are searched themselves: what they fix is not searched, and all else is as for the method."""

from typing import Any

import pytest

from lethe.study import MethodSearch, expand, parse_study
from unlearning.data import load

RANGES = {"lr": {"low": 0.001, "high": 0.1, "log": True}, "density": {"low": 0.1, "high": 0.9}}


def searches(controls: str, **salun: Any) -> list[MethodSearch]:
    options = {
        "name": "small",
        "data": [{"source": "synthetic", "train": 40, "val": 10, "test": 10, "size": 8}],
        "forget": [{"kind": "random", "fraction": 0.1}],
        "network": {"name": "cnn", "width": 4},
        "training": {"precision": "float32"},
        "methods": [{"name": "salun", "epochs": 2, **salun}, {"name": "fine_tune", "epochs": 2}],
        "controls": controls,
    }
    study = parse_study(options, "s")
    return expand(study, {source: load(source) for source in study.data})


def test_tuned_controls_are_searches_of_their_own_with_the_methods_budget() -> None:
    salun, full, random, fine_tune = searches("tuned", search=RANGES)
    assert [one.row for one in (salun, full, random, fine_tune)] == [
        "salun",
        "salun density 1.0",
        "salun random mask",
        "fine_tune",
    ]
    assert list(full.choice.search) == ["lr"]
    assert full.method_at({"lr": 0.01}).model_dump() == salun.method_at({"lr": 0.01, "density": 1.0}).model_dump()
    assert random.choice.search == salun.choice.search
    assert random.choice.fixed == {"epochs": 2, "mask": "random"}
    assert {one.trials for one in (salun, full, random)} == {24}
    assert len({one.fingerprint for one in (salun, full, random)}) == 3


def test_a_control_is_a_row_of_one_search_alone() -> None:
    shown, _ = searches("shown", search=RANGES)
    tuned, full, *_ = searches("tuned", search=RANGES)
    assert shown.rows == ("salun", "salun density 1.0", "salun random mask")
    assert tuned.rows == ("salun",)
    assert full.rows == ("salun density 1.0",)
    assert shown.fingerprint == tuned.fingerprint


@pytest.mark.parametrize(
    ("salun", "own"),
    [
        ({"density": 0.5}, []),
        ({"search": {"density": RANGES["density"]}}, ["random mask"]),
        ({"density": 1.0, "search": {"lr": RANGES["lr"]}}, ["random mask"]),
        ({"search": RANGES | {"mask": ["saliency", "random"]}}, ["density 1.0", "random mask"]),
    ],
    ids=["nothing is searched", "nothing is left to search", "nothing is changed", "what it fixes is searched"],
)
def test_a_control_without_a_search_is_shown_at_the_methods_setting(salun: dict[str, Any], own: list[str]) -> None:
    found = searches("tuned", **salun)
    assert [one.control for one in found if one.control] == own
    assert set(found[0].shown_controls) == {"density 1.0", "random mask"} - set(own)
