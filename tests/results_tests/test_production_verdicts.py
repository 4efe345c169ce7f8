"""Verdicts of the audits on one model that is delivered, from hand-made values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lethe.report import leaderboard
from lethe.results import ConfirmationRow, MeasureRow, Store, query

Record = Callable[..., None]
Make = Callable[..., Any]

ORACLES = (0.50, 0.52, 0.49, 0.51, 0.48)
KNOWN = (0.80, 0.84, 0.79, 0.83, 0.81)


@pytest.fixture
def delivered(store: Store, make: Make) -> Record:
    """Records a model that is delivered, and what an audit found of it."""

    def record(value: float, test: str = "difference", name: str = "d") -> None:
        unit = {"unit_id": name, "training_seed": 1, "audit": "own", "looks_at": "outputs", "metric": "own_auc"}
        store.append([make(MeasureRow, **unit, version=1, test=test, value=value)])
        store.append([make(ConfirmationRow, confirmation_id=name, role="production", gap=0.3)])

    return record


def verdict(store: Store) -> dict[str, Any]:
    [found] = query("from production_verdicts", store.root).to_pylist()
    return dict(found)


def test_one_model_is_held_against_the_prediction_interval_of_the_oracles(
    store: Store, audited: Record, delivered: Record
) -> None:
    audited("oracle", ORACLES)
    audited("original", KNOWN)
    delivered(0.56)
    found = verdict(store)
    mean, reach = np.mean(ORACLES), np.std(ORACLES, ddof=1) * np.sqrt(1 + 1 / 5)
    assert found["p"] == pytest.approx(2 * stats.t.sf(abs(0.56 - mean) / reach, 4))
    assert (found["oracle_low"], found["oracle_high"]) == pytest.approx(stats.t.interval(0.95, 4, mean, reach))
    assert (found["verdict"], found["overall"], found["power"], found["oracles"]) == (
        "violation",
        "violation",
        1.0,
        5,
    )


def test_silence_counts_where_the_same_test_detects_the_originals(
    store: Store, audited: Record, delivered: Record
) -> None:
    audited("oracle", ORACLES)
    audited("original", KNOWN)
    delivered(0.51)
    assert verdict(store)["overall"] == "no violation detected"


def test_silence_says_nothing_where_it_is_silent_about_the_originals(
    store: Store, audited: Record, delivered: Record
) -> None:
    audited("oracle", ORACLES)
    audited("original", [0.51, 0.50, 0.52, 0.49, 0.50])
    delivered(0.51)
    assert verdict(store)["overall"] == "inconclusive"


def test_two_oracles_decide_nothing(store: Store, audited: Record, delivered: Record) -> None:
    audited("oracle", ORACLES[:2])
    audited("original", KNOWN[:2])
    delivered(0.9)
    found = verdict(store)
    assert (found["p"], found["overall"], found["oracles"]) == (None, "inconclusive", 2)


def test_a_p_value_stands_for_itself(store: Store, audited: Record, delivered: Record) -> None:
    audited("oracle", [0.4, 0.6, 0.5], test="p-value")
    audited("original", [0.001, 0.002, 0.001], test="p-value")
    delivered(0.01, "p-value")
    found = verdict(store)
    assert (found["p"], found["verdict"], found["oracle_low"]) == (0.01, "violation", None)


def test_a_delivered_model_is_in_no_table_and_no_verdict_of_a_row(
    store: Store, audited: Record, delivered: Record
) -> None:
    for row, values in (("oracle", ORACLES), ("original", KNOWN), ("salun", (0.51, 0.50, 0.52, 0.49, 0.50))):
        audited(row, values)
    views = ("leaderboard", "compared", "confirmed", "audit_verdicts", "metric_summary", "contrasts", "joint_tests")
    before = {view: query(f"from {view}", store.root).to_pylist() for view in views}
    delivered(0.9)
    assert {view: query(f"from {view}", store.root).to_pylist() for view in views} == before
    assert [board.unlisted for board in leaderboard(store.root)] == [0]
    assert query("select confirmation_id from confirmations where role = 'production'", store.root).to_pylist() == [
        {"confirmation_id": "d"}
    ]
