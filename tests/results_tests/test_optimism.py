"""What a setting's gap was where it was chosen and where it was not, and what each search was allowed."""

from collections.abc import Callable
from typing import Any

import pytest
from scipy.stats import t

from lethe.results import Store, TrialRow, load

Confirm = Callable[..., None]
Make = Callable[..., Any]

ORACLE = {"oracle_ua": 0.2, "oracle_ra": 0.9, "oracle_va": 0.8, "oracle_mia": 0.3}
CHOSEN: dict[str, Any] = {"method_search": "c", "trial_id": "t0", "tuning_trials": 1, "planned_trials": 1}


def trial(store: Store, make: Make, number: int = 0, **changes: Any) -> None:
    """A trial on one seed that is 0.01, 0.02, 0.03 and 0.10 from its oracle: a gap of 0.04."""
    measures = ORACLE | {"ua": 0.21, "ra": 0.88, "va": 0.77, "mia": 0.40, "gap": 0.04}
    values = {"trial_id": f"t{number}", "number": number, "training_seeds": [0], "setting": f'{{"lr": {number}}}'}
    store.append([make(TrialRow, **measures | values | changes)])


def only(store: Store, view: str) -> dict[str, Any]:
    [row] = load(store.root, view).to_pylist()
    return dict(row)


def test_optimism_compares_the_measures_that_both_runs_have(store: Store, confirm: Confirm, make: Make) -> None:
    trial(store, make)
    confirm("salun", (0.05, 0.05, 0.05), va=0.75, oracle_va=0.8, mia_nonmembers="test", **CHOSEN)
    row = only(store, "optimism")
    assert (row["tuning_gap"], row["confirmed_gap"]) == pytest.approx((0.04, 0.05))
    assert row["alike"] == "UA, RA, VA"
    assert row["tuning_alike"] == pytest.approx((0.01 + 0.02 + 0.03) / 3)
    assert row["confirmed_alike"] == pytest.approx((0.05 + 0.05 + 0.05) / 3)
    assert row["optimism"] == pytest.approx(0.03)
    assert (row["tuning_seeds"], row["seeds"]) == ([0], 3)


def test_gaps_that_are_all_alike_have_an_interval_by_the_steps_of_the_forget_set(
    store: Store, confirm: Confirm, make: Make
) -> None:
    """A quarter of a gap, and a third of one over UA, RA and VA, moves in steps of one of 20 images."""
    trial(store, make)
    measures = {"va": 0.75, "oracle_va": 0.8, "mia_nonmembers": "test", "forget_images": 20}
    confirm("salun", (0.05, 0.05, 0.05), **measures, **CHOSEN)
    row = only(store, "optimism")
    reach = t.ppf(0.975, 2) / 20 / 3
    assert row["confirmed_high"] - row["confirmed_gap"] == pytest.approx(reach / 4)
    assert row["optimism"] - row["optimism_low"] == pytest.approx(reach / 3)
    assert row["optimism_high"] - row["optimism"] == pytest.approx(reach / 3)


def test_mia_counts_where_its_nonmembers_are_the_searchs(store: Store, confirm: Confirm, make: Make) -> None:
    trial(store, make)
    confirm("salun", (0.05, 0.05, 0.05), va=0.8, oracle_va=0.8, mia_nonmembers="val", **CHOSEN)
    row = only(store, "optimism")
    assert row["alike"] == "UA, RA, VA, MIA"
    assert row["tuning_alike"] == pytest.approx(0.04)
    assert row["confirmed_alike"] == pytest.approx((0.05 + 0.05 + 0.00 + 0.05) / 4)


def test_means_over_several_tuning_seeds_have_no_gap_over_alike_measures(
    store: Store, confirm: Confirm, make: Make
) -> None:
    trial(store, make, training_seeds=[0, 1])
    confirm("salun", (0.05, 0.06, 0.07), va=0.8, oracle_va=0.8, **CHOSEN)
    row = only(store, "optimism")
    assert row["tuning_alike"] is None
    assert row["optimism"] == pytest.approx(0.06 - 0.04)
    assert row["optimism_low"] < 0.02 < row["optimism_high"]


def test_a_setting_that_is_not_confirmed_on_all_seeds_has_no_optimism(
    store: Store, confirm: Confirm, make: Make
) -> None:
    trial(store, make)
    confirm("salun", (0.05, None, 0.05), status="diverged", **CHOSEN)
    assert len(load(store.root, "optimism")) == 0


def test_a_budget_counts_settings_runs_and_seconds_and_no_copy_as_a_run(store: Store, make: Make) -> None:
    trial(store, make, 0, training_seeds=[0, 1], seconds_total=10.0)
    trial(store, make, 1, training_seeds=[0, 1], seconds_total=20.0)
    trial(store, make, 2, setting='{"lr": 0}', training_seeds=[0, 1], copied_from="t0", seconds_total=0.0)
    row = only(store, "budgets")
    assert (row["settings"], row["runs"], row["seconds"]) == (2, 4, 30.0)


def test_a_budget_ends_where_the_specification_that_is_shown_ends(store: Store, confirm: Confirm, make: Make) -> None:
    for number in range(3):
        trial(store, make, number)
    confirm("salun", (0.05, 0.05, 0.05), **CHOSEN | {"planned_trials": 2})
    assert only(store, "budgets")["settings"] == 2
