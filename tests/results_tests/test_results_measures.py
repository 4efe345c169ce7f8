"""Long measures: shown with their confirmation, averaged by metric and version, held against the paired oracle."""

from collections.abc import Callable
from typing import Any

import pytest
from scipy.stats import t

from lethe.results import ConfirmationRow, MeasureRow, Store, load, query


def record(store: Store, make: Callable[..., Any], row: str, values: list[float], **changes: Any) -> None:
    """Record one metric of a row, a value a seed from 1 on, in the units that the fixture `confirm` names."""
    for seed, value in enumerate(values, start=1):
        measure = {"unit_id": f"{row}-q-{seed}", "training_seed": seed, "metric": "own", "value": value}
        store.append([make(MeasureRow, **measure | changes)])


def test_measures_are_seen_once_their_confirmation_is_there(store: Store, make: Callable[..., Any]) -> None:
    store.append([make(MeasureRow, unit_id="c1")])
    store.append_confirmation(make(ConfirmationRow, confirmation_id="c0"), [], [make(MeasureRow, unit_id="c0")])
    assert load(store.root, "recorded_measures")["unit_id"].to_pylist() == ["c0"]
    store.append([make(ConfirmationRow, confirmation_id="c1")])
    assert sorted(load(store.root, "recorded_measures")["unit_id"].to_pylist()) == ["c0", "c1"]


def test_a_unit_with_recorded_measures_is_not_read_from_its_columns_too(store: Store, make: Callable[..., Any]) -> None:
    confirmation = make(ConfirmationRow, confirmation_id="c0", ua=0.2, auc=0.9)
    store.append_confirmation(confirmation, [], [make(MeasureRow, unit_id="c0", metric="ua", value=0.2)])
    assert load(store.root, "measures").select(["metric", "value"]).to_pylist() == [{"metric": "ua", "value": 0.2}]


def test_any_metric_is_averaged_over_the_seeds_and_held_against_the_paired_oracle(
    store: Store, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    for row in ("oracle", "salun"):
        confirm(row, [0.0, 0.0, 0.0])
    record(store, make, "oracle", [1.0, 3.0, 5.0])
    record(store, make, "salun", [2.0, 5.0, 9.0])
    found = {row["row"]: row for row in query("from metric_summary where metric = 'own'", store.root).to_pylist()}
    oracle, salun = found["oracle"], found["salun"]
    assert (oracle["mean"], oracle["difference"], oracle["oracle_mean"]) == (3.0, None, None)
    assert (salun["seeds"], salun["oracle_mean"]) == (3, 3.0)
    assert salun["mean"] == pytest.approx(16 / 3)
    assert salun["difference"] == pytest.approx(7 / 3)
    reach = t.ppf(0.975, 2) * (7 / 3) ** 0.5 / 3**0.5
    assert salun["difference_high"] - salun["difference"] == pytest.approx(reach)


@pytest.mark.parametrize(
    ("measure", "known"),
    [
        ({"n": 20}, True),
        ({"n": None}, False),
        ({"n": 20, "audit": "own", "test": "difference"}, True),
        ({"n": 20, "audit": "own", "test": "p-value"}, False),
        ({"n": 20, "audit": "own"}, False),
    ],
)
def test_values_that_are_all_alike_have_the_spread_of_a_step_or_no_interval(
    measure: dict[str, Any], known: bool, store: Store, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    for row, values in {"oracle": [0.5, 0.5, 0.5], "salun": [0.6, 0.6, 0.6]}.items():
        confirm(row, [0.0, 0.0, 0.0])
        record(store, make, row, values, **measure)
    [salun] = query("from metric_summary where metric = 'own' and row = 'salun'", store.root).to_pylist()
    reach = pytest.approx(t.ppf(0.975, 2) / (20 * 3**0.5) / 3**0.5)
    for mean, ends in (("mean", ("low", "high")), ("difference", ("difference_low", "difference_high"))):
        low, high = (salun[end] for end in ends)
        if known:
            assert (salun[mean] - low, high - salun[mean]) == (reach, reach)
        else:
            assert (low, high) == (None, None)


def test_a_value_between_oracles_and_originals_is_read_as_the_share_that_is_still_in(
    store: Store, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    values = {"oracle": [1.0, 1.2, 1.4], "original": [5.0, 5.3, 5.3], "salun": [2.0, 2.2, 2.7], "far": [0.0, 0.3, 0.2]}
    for row, found in values.items():
        confirm(row, [0.0, 0.0, 0.0])
        record(store, make, row, found)
    doses = {row["row"]: row for row in query("from metric_summary where metric = 'own'", store.root).to_pylist()}
    assert doses["salun"]["dose"] == pytest.approx((1.0 + 1.0 + 1.3) / (4.0 + 4.1 + 3.9))
    reach = t.ppf(0.975, 2) * 0.1 * 3**0.5 / 3**0.5 / 4.0
    assert doses["salun"]["dose_high"] - doses["salun"]["dose"] == pytest.approx(reach)
    assert doses["far"]["dose"] < 0
    assert doses["far"]["dose_low"] < doses["far"]["dose_high"]
    assert doses["oracle"]["dose"] is None
    assert doses["original"]["dose"] is None


def test_where_the_originals_cannot_be_told_from_the_oracles_there_is_no_dose(
    store: Store, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    for row, found in {"oracle": [1.0, 1.2, 1.4], "original": [1.3, 0.9, 1.5], "salun": [2.0, 2.2, 2.7]}.items():
        confirm(row, [0.0, 0.0, 0.0])
        record(store, make, row, found)
    found_dose = query("select dose from metric_summary where metric = 'own' and row = 'salun'", store.root)
    assert found_dose.to_pylist() == [{"dose": None}]


def test_what_is_no_mean_over_the_forget_set_has_no_dose(
    store: Store, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    others = ({"metric": "far", "split": "test"}, {"metric": "own_bound", "audit": "own"}, {"metric": "own"})
    for row, values in {"oracle": [1.0, 1.2, 1.4], "original": [5.0, 5.3, 5.3], "salun": [2.0, 2.2, 2.7]}.items():
        confirm(row, [0.0, 0.0, 0.0])
        for seed, value in enumerate(values, start=1):
            unit = {"unit_id": f"{row}-q-{seed}", "training_seed": seed, "value": value}
            store.append([make(MeasureRow, **unit | one) for one in others])
    doses = query("select metric, dose is not null as known from metric_summary where row = 'salun'", store.root)
    assert {row["metric"]: row["known"] for row in doses.to_pylist()} == {"far": False, "own": True, "own_bound": False}


def test_values_of_two_versions_of_a_metric_are_never_averaged(
    store: Store, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    confirm("salun", [0.0, 0.0])
    record(store, make, "salun", [1.0], version=1)
    store.append([make(MeasureRow, unit_id="salun-q-2", training_seed=2, metric="own", version=2, value=3.0)])
    found = query("select version, seeds, mean from metric_summary where metric = 'own' order by all", store.root)
    assert found.to_pylist() == [{"version": 1, "seeds": 1, "mean": 1.0}, {"version": 2, "seeds": 1, "mean": 3.0}]


def test_a_value_that_a_class_lacks_is_null_and_counts_no_seed(
    store: Store, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    confirm("salun", [0.0, 0.0])
    for seed, value in ((1, None), (2, 0.5)):
        row = {"unit_id": f"salun-q-{seed}", "training_seed": seed, "metric": "own", "class_index": 4, "value": value}
        store.append([make(MeasureRow, **row)])
    found = query("select seeds, mean, low from metric_summary where metric = 'own'", store.root)
    assert found.to_pylist() == [{"seeds": 1, "mean": 0.5, "low": None}]
