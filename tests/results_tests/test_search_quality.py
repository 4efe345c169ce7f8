"""How good a search was: the facts of the view by hand-made trials, and the sentences that follow from them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from lethe.report import search_notes
from lethe.results import Store, TrialRow, load, to_rows
from lethe.results.views import SearchQualityRow

SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-3, 1e-1, log=True),
    "density": FloatDistribution(0.1, 1.0),
    "epochs": IntDistribution(1, 5),
    "relabel": CategoricalDistribution(["any", "other"]),
}

MIDDLE = {"lr": 0.01, "density": 0.5, "epochs": 3, "relabel": "any"}


@pytest.fixture
def search(store: Store, make: Callable[..., Any]) -> Callable[..., SearchQualityRow]:
    """Records the trials of one method search and reads what the view says of it."""
    space = json.dumps({name: json.loads(distribution_to_json(one)) for name, one in SPACE.items()})

    def record(*trials: dict[str, Any], **common: Any) -> SearchQualityRow:
        for number, trial in enumerate(trials):
            values = (
                {"proposed_by": "startup", "gap": 0.08, "original_gap": 0.12, "search_space": space} | common | trial
            )
            setting = {"name": "salun", **MIDDLE, **values.pop("at", {})}
            if values.get("status", "done") in ("diverged", "failed"):
                values["gap"] = None
            values |= {"trial_id": f"t{number}", "number": number, "epochs_done": 3}
            values |= {"setting": json.dumps(setting), "search_space": space}
            store.append([make(TrialRow, **values)])
        [row] = to_rows(load(store.root, "search_quality"), SearchQualityRow)
        return row

    return record


def test_a_search_is_counted_by_settings_endings_and_who_proposed(search: Callable[..., SearchQualityRow]) -> None:
    row = search(
        {"at": {"lr": 0.02}},
        {"at": {"lr": 0.02}, "copied_from": "t0"},
        {"at": {"lr": 0.03}, "status": "diverged"},
        {"at": {"lr": 0.04}, "status": "failed"},
        {"at": {"lr": 0.05}, "status": "stopped", "gap": 0.01},
        {"at": {"lr": 0.06}, "gap": 0.05, "proposed_by": "model"},
    )
    assert (row.trials, row.settings) == (6, 5)
    assert (row.stopped, row.diverged, row.failed) == (1, 1, 1)
    assert (row.by_model, row.by_startup) == (1, 5)
    assert (row.best_trial, row.gap, row.original_gap) == ("t5", 0.05, 0.12)
    assert json.loads(row.setting or "")["lr"] == 0.06


@pytest.mark.parametrize(
    ("at", "low", "high"),
    [
        ({}, [], []),
        ({"lr": 0.0987}, [], ["lr"]),
        ({"lr": 0.0905}, [], []),
        ({"lr": 0.00109}, ["lr"], []),
        ({"lr": 0.0011}, [], []),
        ({"density": 0.117, "epochs": 5}, ["density"], ["epochs"]),
        ({"density": 0.12}, [], []),
        ({"density": 1.0, "epochs": 1, "relabel": "other"}, ["epochs"], ["density"]),
    ],
)
def test_the_best_lies_at_an_end_within_two_percent_of_the_range_on_its_scale(
    search: Callable[..., SearchQualityRow], at: dict[str, Any], low: list[str], high: list[str]
) -> None:
    row = search({"at": {"lr": 0.1, "epochs": 1}, "gap": 0.2}, {"at": at, "gap": 0.05})
    assert (row.at_low_end, row.at_high_end) == (low, high)


def test_each_search_has_its_own_row(store: Store, make: Callable[..., Any]) -> None:
    for study, scenario, method_search in (("a", "q", "c"), ("b", "q", "c"), ("b", "r", "d")):
        name = f"{study}{method_search}"
        store.append(
            [make(TrialRow, trial_id=name, study=study, scenario=scenario, method_search=method_search, epochs_done=1)]
        )
    rows = load(store.root, "search_quality").to_pylist()
    assert [(row["study"], row["scenario"], row["method_search"], row["trials"]) for row in rows] == [
        ("a", "q", "c", 1),
        ("b", "q", "c", 1),
        ("b", "r", "d", 1),
    ]


def test_results_of_an_early_version_say_nothing_of_what_they_did_not_record(
    store: Store, make: Callable[..., Any]
) -> None:
    for number in range(3):
        store.append([make(TrialRow, trial_id=f"t{number}", number=number, lr=number, epochs_done=1)])
    [row] = to_rows(load(store.root, "search_quality"), SearchQualityRow)
    assert (row.by_model, row.by_startup, row.at_low_end, row.at_high_end) == (None, None, [], [])
    assert search_notes(replace(row, settings=3)) == []


def test_a_search_without_a_finished_trial_says_so(search: Callable[..., SearchQualityRow]) -> None:
    row = search(*({"status": "diverged", "at": {"lr": lr}} for lr in (0.05, 0.06)))
    assert (row.gap, row.best_trial, row.setting) == (None, None, None)
    assert search_notes(row)[:2] == ["none of 2 trials finished with a gap", "2 of 2 trials diverged"]


def test_notes_say_each_fault_in_a_sentence(search: Callable[..., SearchQualityRow]) -> None:
    row = search(
        {"at": {"lr": 0.1, "density": 1.0}, "gap": 0.123},
        *({"at": {"lr": 0.05}, "status": "diverged"} for _ in range(6)),
        {"at": {"epochs": 5}, "status": "failed"},
        original_gap=0.119,
    )
    assert search_notes(row) == [
        "the best trial is not better than doing nothing (12.3 against 11.9 points)",
        "density 1 is at the upper end of its range 0.1 to 1: density goes no further",
        "lr 0.1 is at the upper end of its range 0.001 to 0.1: widen it",
        "6 of 8 trials diverged",
        "1 of 8 trials failed (`failures` names the errors)",
        "3 distinct settings among 8 trials",
        "none of 8 proposals was made by the model, all were start-up draws",
    ]


def test_a_good_search_is_noted_only_for_who_proposed(search: Callable[..., SearchQualityRow]) -> None:
    trials = [{"at": {"lr": 0.01 + 0.001 * number}, "proposed_by": "startup"} for number in range(8)]
    row = search(*trials, *({"at": {"lr": 0.01 - 0.001 * number}, "proposed_by": "model"} for number in range(1, 5)))
    assert search_notes(row) == ["4 of 12 proposals were made by the model, 8 were start-up draws"]


@pytest.mark.parametrize("proposed_by", ["random", "fixed"])
def test_a_search_without_a_model_is_not_noted_for_it(
    search: Callable[..., SearchQualityRow], proposed_by: str
) -> None:
    assert search_notes(search({"proposed_by": proposed_by})) == []


def test_the_searches_of_a_real_study_say_who_proposed(real: Path) -> None:
    rows = to_rows(load(real, "search_quality"), SearchQualityRow)
    assert len(rows) == 8
    for row in rows:
        assert (row.trials, row.by_model, row.by_startup) == (5, 0, 5)
        assert "none of 5 proposals was made by the model, all were start-up draws" in search_notes(row)


def test_runs_of_a_race_are_no_further_settings_and_their_seeds_make_the_mean(
    store: Store, make: Callable[..., Any]
) -> None:
    runs = [(0, 0, [0], 0.1), (1, 0, [0], 0.2), (2, 0, [0], 0.4), (0, 1, [4], 0.5), (1, 1, [4], 0.3)]
    for number, at, seeds, gap in runs:
        row = {"number": number, "round": at, "training_seeds": seeds, "gap": gap, "gap_per_seed": [gap]}
        name = {"trial_id": f"t{number}-{at}", "setting": f'{{"lr": {number}}}'}
        store.append([make(TrialRow, original_gap=0.1 * (1 + at), **row, **name)])
    [quality] = load(store.root, "search_quality").to_pylist()
    assert (quality["trials"], quality["settings"], quality["raced"]) == (3, 3, 2)
    assert (quality["best_trial"], quality["gap"]) == ("t1-0", pytest.approx(0.25))
    assert quality["original_gap"] == pytest.approx(0.15)
    [chosen] = load(store.root, "chosen").to_pylist()
    assert (chosen["trial_id"], chosen["tuning_seeds"], chosen["rivals"]) == ("t1-0", [0, 4], 2)
    [square] = load(store.root, "sensitivity").to_pylist()
    assert square["trials"] == 3
