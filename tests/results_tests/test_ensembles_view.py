"""The view of ensembles: which models are compared with which, from hand-made predictions."""

from collections.abc import Callable
from math import log
from typing import Any

import numpy as np
import pytest

from lethe.results import PredictionRow, Store, query
from unlearning.ensembles import compare

Record = Callable[..., None]


@pytest.fixture
def predicted(store: Store, make: Callable[..., Any], confirm: Record) -> Callable[..., np.ndarray[Any, Any]]:
    """Records a row with what each of its models says of five images; returns it."""

    def record(row: str, models: int, shift: float, **changes: Any) -> np.ndarray[Any, Any]:
        confirm(row, [0.0] * models, **changes)
        values = np.clip(np.random.default_rng(models).uniform(0.2, 0.6, (models, 5)) + shift, 0, 1)
        for seed, confidences in zip(changes.get("seeds", range(1, models + 1)), values, strict=True):
            unit = {"confirmation_id": f"{row}-q-{seed}", "row": row, "training_seed": seed}
            rows = [make(PredictionRow, **unit, image=9 - n, confidence=value) for n, value in enumerate(confidences)]
            store.append(rows)
        return values

    return record


def test_row_and_floor_are_of_as_many_models_against_the_same_other_oracles(
    store: Store, predicted: Callable[..., np.ndarray[Any, Any]]
) -> None:
    oracles = predicted("oracle", 4, 0.0)
    others = predicted("oracle", 3, 0.0, seeds=[7, 8, 9], role="tuning")
    salun = predicted("salun", 4, 0.3)
    [found] = query("from ensembles", store.root).to_pylist()
    assert (found["row"], found["models"], found["oracles"], found["images"]) == ("salun", 3, 4, 5)
    against = np.concatenate([oracles[3:], others])
    of_row, floor = compare(salun[:3], against), compare(oracles[:3], against)
    for name in ("klom", "klom_p95", "lira_auc", "quality"):
        assert found[name] == pytest.approx(getattr(of_row, name))
        assert found[f"{name}_floor"] == pytest.approx(getattr(floor, name))
    assert found["largest_epsilon"] == pytest.approx(log(2))


def test_five_oracles_are_too_few(store: Store, predicted: Callable[..., np.ndarray[Any, Any]]) -> None:
    predicted("oracle", 5, 0.0)
    predicted("salun", 5, 0.0)
    assert query("from ensembles", store.root).to_pylist() == []
