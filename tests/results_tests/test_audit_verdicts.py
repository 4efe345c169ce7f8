"""Verdicts of audits: what they say of a row, and what they are worth, from hand-made values."""

from collections.abc import Callable
from typing import Any

import pytest
from scipy import stats

from lethe.results import MeasureRow, Store, query

Record = Callable[..., None]

ORACLES = (0.50, 0.52, 0.49, 0.51, 0.48)


def verdicts(store: Store, metric: str = "own_auc") -> dict[str, dict[str, Any]]:
    found = query(f"from audit_verdicts where metric = '{metric}'", store.root).to_pylist()
    return {one["row"]: one for one in found}


def test_a_row_far_from_the_oracles_is_a_violation_and_one_like_them_is_none(store: Store, audited: Record) -> None:
    audited("oracle", ORACLES)
    audited("original", [0.80, 0.84, 0.79, 0.83, 0.81])
    audited("salun", [0.61, 0.62, 0.60, 0.61, 0.57])
    audited("fine_tune", [0.51, 0.51, 0.50, 0.52, 0.47])
    found = verdicts(store)
    assert {row: one["verdict"] for row, one in found.items()} == {
        "original": "violation",
        "oracle": "reference",
        "salun": "violation",
        "fine_tune": "no violation detected",
    }
    salun = found["salun"]
    expected = stats.ttest_rel([0.61, 0.62, 0.60, 0.61, 0.57], ORACLES)
    assert salun["p"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert (salun["low"], salun["high"]) == pytest.approx(tuple(expected.confidence_interval()))
    assert salun["difference"] == pytest.approx(0.102)
    assert (salun["power"], salun["false_positive_rate"], salun["oracles"]) == (1.0, 0.0, 5)
    assert (salun["detected"], found["fine_tune"]["detected"]) == (1.0, 0.0)


def test_where_the_original_is_not_detected_silence_says_nothing(store: Store, audited: Record) -> None:
    audited("oracle", ORACLES)
    audited("original", [0.52, 0.50, 0.51, 0.50, 0.49])
    audited("salun", [0.51, 0.51, 0.50, 0.52, 0.47])
    found = verdicts(store)["salun"]
    assert (found["verdict"], found["overall"], found["power"]) == ("inconclusive", "inconclusive", 0.0)


def test_an_oracle_is_held_against_the_others_those_of_the_tuning_seeds_among_them(
    store: Store, audited: Record, make: Callable[..., Any], confirm: Callable[..., None]
) -> None:
    """One of four lies far out: alone it is detected, and with it the interval of the others holds them all."""
    audited("original", [0.9, 0.9, 0.9])
    audited("oracle", [0.50, 0.51, 0.49])
    confirm("oracle", [0.0], seeds=[9], role="tuning")
    outlier = {"unit_id": "oracle-q-9", "training_seed": 9, "metric": "own_auc", "audit": "own"}
    store.append([make(MeasureRow, **outlier, version=1, test="difference", value=0.7)])
    found = verdicts(store)
    assert (found["oracle"]["seeds"], found["oracle"]["oracles"]) == (3, 4)
    assert found["oracle"]["false_positive_rate"] == 0.25
    assert found["oracle"]["detected"] == 0.0


def test_p_values_of_models_that_share_their_forget_set_are_combined_as_twice_their_mean(
    store: Store, audited: Record
) -> None:
    audited("oracle", [0.4, 0.6, 0.04], test="p-value")
    audited("original", [0.001, 0.001, 0.004], test="p-value")
    audited("salun", [0.01, 0.03, 0.02], test="p-value")
    audited("fine_tune", [0.01, 0.03, 0.9], test="p-value")
    found = verdicts(store)
    assert found["original"]["p"] == pytest.approx(0.004)
    assert found["salun"]["p"] == pytest.approx(0.04)
    assert found["fine_tune"]["p"] == pytest.approx(2 * 0.94 / 3)
    assert [found[row]["verdict"] for row in ("oracle", "salun", "fine_tune")] == [
        "no violation detected",
        "violation",
        "no violation detected",
    ]
    assert found["oracle"]["false_positive_rate"] == pytest.approx(1 / 3)
    assert found["fine_tune"]["detected"] == pytest.approx(2 / 3)


def test_all_statistics_of_a_row_are_one_family_and_one_violation_is_one_of_the_row(
    store: Store, audited: Record
) -> None:
    audited("original", [0.001, 0.001, 0.004], test="p-value")
    other = {"metric": "own_other", "test": "p-value", "values": [0.001] * 3}
    shown = {"metric": "own_shown", "test": None, "values": [0.3] * 3}
    audited("salun", [0.01, 0.03, 0.02], other, shown, test="p-value")
    first, second = verdicts(store)["salun"], verdicts(store, "own_other")["salun"]
    assert (first["p_holm"], second["p_holm"]) == (pytest.approx(0.04), pytest.approx(0.004))
    assert (first["overall"], second["overall"]) == ("violation", "violation")
    assert verdicts(store, "own_shown") == {}


def test_two_seeds_decide_nothing(store: Store, audited: Record) -> None:
    audited("oracle", [0.5, 0.5])
    audited("original", [0.9, 0.9])
    audited("salun", [0.001, 0.001], test="p-value", metric="own_p")
    assert verdicts(store)["original"]["verdict"] == "too few seeds"
    assert verdicts(store, "own_p")["salun"]["verdict"] == "too few seeds"


def test_differences_that_are_all_one_image_prove_nothing(store: Store, audited: Record) -> None:
    """Of ten images one more is right on each seed: as if one of these seeds had one more or less than that."""
    audited("oracle", [0.7, 0.8, 0.9], n=10)
    audited("salun", [0.8, 0.9, 1.0], n=10)
    audited("fine_tune", [0.7, 0.8, 0.9], n=10)
    found = verdicts(store)
    assert found["salun"]["p"] == pytest.approx(stats.ttest_1samp([1, 1, 2], 1 / 3).pvalue, rel=1e-9)
    assert found["salun"]["verdict"] == "inconclusive"
    assert found["fine_tune"]["p"] == 1.0


def test_oracles_that_are_all_alike_do_not_detect_one_image_more(store: Store, audited: Record) -> None:
    audited("oracle", [0.5, 0.5, 0.5, 0.5], n=10)
    audited("original", [0.6, 0.6, 0.6, 0.6], n=10)
    audited("salun", [0.9, 0.9, 0.9, 0.9], n=10)
    found = verdicts(store)
    assert (found["original"]["power"], found["original"]["false_positive_rate"]) == (0.0, 0.0)
    assert found["salun"]["detected"] == 1.0


def test_differences_that_are_all_alike_prove_nothing_where_the_number_of_images_is_not_known(
    store: Store, audited: Record
) -> None:
    """An audit of a plug-in need not say how many images it looked at: without, a step may be of any size."""
    audited("oracle", [0.5, 0.5, 0.5, 0.5], test="mean", n=None)
    audited("original", [0.9, 0.9, 0.9, 0.9], test="mean", n=None)
    audited("salun", [0.7, 0.7, 0.7, 0.7], test="mean", n=None)
    audited("fine_tune", [0.5, 0.5, 0.5, 0.5], test="mean", n=None)
    found = verdicts(store)
    assert {row: one["verdict"] for row, one in found.items()} == {
        "original": "inconclusive",
        "oracle": "reference",
        "salun": "inconclusive",
        "fine_tune": "inconclusive",
    }
    assert (found["salun"]["p"], found["salun"]["dose"], found["salun"]["power"]) == (None, None, None)
    assert (found["fine_tune"]["p"], found["fine_tune"]["false_positive_rate"]) == (1.0, 0.0)
    [dose] = query("select dose from metric_summary where row = 'salun' and metric = 'own_auc'", store.root).to_pylist()
    assert dose == {"dose": None}


def test_a_row_without_a_p_is_inconclusive_also_where_the_audit_has_power(store: Store, audited: Record) -> None:
    """Its differences are all alike, and nothing says of how many images: they are no proof, and no acquittal."""
    oracles = [0.50, 0.52, 0.49, 0.51]
    audited("oracle", oracles, n=None)
    audited("original", [0.90, 0.93, 0.91, 0.90], n=None)
    audited("salun", [value + 0.25 for value in oracles], n=None)
    found = verdicts(store)
    assert (found["original"]["verdict"], found["salun"]["power"]) == ("violation", 1.0)
    assert (found["salun"]["p"], found["salun"]["verdict"]) == (None, "inconclusive")


def test_the_dose_of_a_verdict_is_that_of_the_summary(store: Store, audited: Record) -> None:
    audited("oracle", [0.5, 0.5, 0.5, 0.5], test="mean", n=100)
    audited("original", [0.9, 0.9, 0.9, 0.9], test="mean", n=100)
    audited("salun", [0.7, 0.7, 0.7, 0.8], test="mean", n=100)
    [dose] = query("select dose from metric_summary where row = 'salun' and metric = 'own_auc'", store.root).to_pylist()
    assert verdicts(store)["salun"]["dose"] == dose["dose"] == pytest.approx(0.225 / 0.4)


def test_an_audit_whose_p_value_cannot_become_small_enough_is_inconclusive(store: Store, audited: Record) -> None:
    """It detects each original, but among five statistics of a row its smallest p-value is no violation."""
    further = [{"metric": f"own_{name}", "test": "p-value", "values": [0.5] * 3} for name in "abcd"]
    audited("original", [1 / 70] * 3, *further, test="p-value")
    audited("salun", [0.6] * 3, *further, test="p-value")
    found = verdicts(store)
    assert found["salun"]["power"] == 1.0
    assert found["original"]["p_holm"] == pytest.approx(5 * 2 / 70)
    assert (found["salun"]["verdict"], found["salun"]["overall"]) == ("inconclusive", "inconclusive")


def test_there_is_no_dose_where_the_originals_differ_by_chance_alone(store: Store, audited: Record) -> None:
    """Their difference is clear of 0 by itself, but not among the five statistics of their row."""
    further = [{"metric": f"own_{name}", "test": "p-value", "values": [0.5] * 4} for name in "abcd"]
    audited("oracle", [0.50, 0.52, 0.49, 0.51], test="mean")
    audited("original", [0.58, 0.55, 0.56, 0.62], *further, test="mean")
    audited("salun", [0.54, 0.54, 0.52, 0.56], test="mean")
    found = verdicts(store)
    assert found["original"]["p"] < 0.05 < found["original"]["p_holm"]
    assert found["salun"]["dose"] is None
