"""A single model against the oracles, from hand-made values."""

from collections.abc import Callable
from typing import Any

import pytest
from scipy import stats

from lethe.results import Store, query

Record = Callable[..., None]

ORACLES = (0.50, 0.52, 0.49, 0.51, 0.48)


def detections(store: Store) -> dict[tuple[str, int], dict[str, Any]]:
    found = query("from detections where metric = 'own_auc'", store.root).to_pylist()
    return {(one["row"], one["training_seed"]): one for one in found}


def test_a_model_is_held_against_the_oracles_as_one_more_of_them(store: Store, audited: Record) -> None:
    audited("oracle", ORACLES)
    audited("salun", [0.61, 0.51, 0.50, 0.52, 0.47])
    found = detections(store)
    far = found["salun", min(seed for _, seed in found)]
    sd = stats.tstd(ORACLES)
    t = (0.61 - 0.50) / (sd * (1 + 1 / 5) ** 0.5)
    assert far["p"] == pytest.approx(2 * stats.t.sf(t, 4), rel=1e-9)
    assert (far["oracles"], far["oracle_mean"], far["detected"]) == (5, pytest.approx(0.50), True)
    assert [one["detected"] for (row, _), one in sorted(found.items()) if row == "salun"] == [True, *[False] * 4]


def test_an_oracle_is_not_held_against_itself(store: Store, audited: Record) -> None:
    audited("oracle", ORACLES)
    found = detections(store)
    assert {one["oracles"] for one in found.values()} == {4}
    assert not [one for one in found.values() if one["detected"]]


def test_a_p_value_stands_for_itself_and_few_oracles_for_nothing(store: Store, audited: Record) -> None:
    audited("oracle", [0.4, 0.6])
    audited("salun", [0.9, 0.8], {"metric": "own_p", "test": "p-value", "values": [0.01, 0.2]})
    [few, _] = [one for one in detections(store).values() if one["row"] == "salun"]
    assert (few["oracles"], few["p"], few["detected"]) == (2, None, None)
    of_p = query("from detections where metric = 'own_p' order by training_seed", store.root).to_pylist()
    assert [(one["p"], one["detected"]) for one in of_p] == [(0.01, True), (0.2, False)]


def test_all_statistics_of_a_model_are_one_family(store: Store, audited: Record) -> None:
    audited("oracle", [0.4, 0.6])
    further = [{"metric": f"own_{p}", "test": "p-value", "values": [p, p]} for p in (0.01, 0.02)]
    audited("salun", [0.4, 0.4], *further, test="p-value")
    found = query("select p, p_holm from detections where row = 'salun' order by p, training_seed", store.root)
    assert [(one["p"], pytest.approx(one["p_holm"])) for one in found.to_pylist()[::2]] == [
        (0.01, 0.03),
        (0.02, 0.04),
        (0.4, 0.4),
    ]
