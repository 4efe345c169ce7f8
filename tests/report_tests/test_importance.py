"""Which options a gap depends on, as the page says it."""

import json
import random
from typing import Any

import pytest

from lethe.report.page._gather import Searched, Tried
from lethe.report.page._importance import FEWEST_TRIALS, importance_of


def search_of(settings: list[dict[str, Any]], gaps: list[float]) -> Searched:
    trials = tuple(
        Tried(
            study="s", scenario="c", method="salun", method_search="m", trial_id=str(number), number=number, lr=None,
            density=None, setting=json.dumps(setting), status="done", gap=gap, original_gap=None, oracle_ua=None,
            oracle_ra=None, oracle_va=None, oracle_mia=None, training_seeds=[0], originals=[], oracles=[],
            seconds_total=1.0,
        )
        for number, (setting, gap) in enumerate(zip(settings, gaps, strict=True))
    )  # fmt: skip
    return Searched("salun", "m", trials, None, ())


def drawn(count: int) -> list[dict[str, Any]]:
    rng = random.Random(0)
    return [
        {"lr": 10 ** rng.uniform(-4, -1), "density": rng.random(), "epochs": rng.randint(1, 5), "loop": "sequential"}
        for _ in range(count)
    ]


def test_the_option_that_makes_the_gap_has_the_largest_share() -> None:
    settings = drawn(60)
    found = importance_of(search_of(settings, [abs(setting["density"] - 0.5) for setting in settings]))
    assert list(found) == ["density", *(name for name in found if name != "density")]
    assert found.keys() == {"lr", "density", "epochs"}
    assert sum(found.values()) == pytest.approx(1)


def test_names_of_choices_are_no_numbers() -> None:
    settings = [setting | {"loop": "a" if setting["density"] < 0.5 else "b"} for setting in drawn(40)]
    found = importance_of(search_of(settings, [float(setting["loop"] == "a") for setting in settings]))
    assert next(iter(found)) in ("loop", "density")


def test_yes_and_no_nothing_and_nested_options_are_choices() -> None:
    settings = [
        {
            "lr": setting["lr"],
            "flag": number % 2 == 0,
            "limit": None if number % 3 else 5,
            "schedule": {"kind": str(number % 4)},
        }
        for number, setting in enumerate(drawn(40))
    ]
    found = importance_of(search_of(settings, [float(setting["flag"]) for setting in settings]))
    assert next(iter(found)) == "flag"
    assert found.keys() == {"lr", "flag", "limit", "schedule"}


def test_few_trials_or_one_option_say_nothing() -> None:
    few, flat = drawn(FEWEST_TRIALS - 1), [{"lr": setting["lr"], "epochs": 1} for setting in drawn(30)]
    assert importance_of(search_of(few, [0.1] * len(few))) == {}
    assert importance_of(search_of(flat, [0.1] * len(flat))) == {}
