"""The view of halves: which models are attacked by which, from hand-made predictions."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from lethe.results import PredictionRow, Store, query
from unlearning.ensembles import attack_halves, margins

Record = Callable[..., None]
Array = np.ndarray[Any, Any]

UNITS = (0, 1, 2, 3, 4, 5, 6, 7, 1, 2)
"""Of ten images; two repeat others."""


def lots(models: int) -> list[list[int]]:
    """Deal four of the eight units out to each model."""
    return [np.random.default_rng(seed).permutation(8)[:4].tolist() for seed in range(models)]


@pytest.fixture
def predicted(store: Store, make: Callable[..., Any], confirm: Record) -> Callable[..., Array]:
    """Records a row whose models say something of all ten images; returns it."""

    def record(row: str, halves: Sequence[Sequence[int]], shift: float = 0.0) -> Array:
        confirm(row, [0.0] * len(halves))
        values = np.random.default_rng(len(row)).uniform(0.2, 0.6, (len(halves), len(UNITS))) + shift
        for seed, (half, confidences) in enumerate(zip(halves, values, strict=True), 1):
            same = {"confirmation_id": f"{row}-q-{seed}", "row": row, "training_seed": seed}
            store.append(
                [
                    make(
                        PredictionRow,
                        **same,
                        image=20 + image,
                        unit=20 + UNITS[image],
                        split="forget" if UNITS[image] in half else "control",
                        confidence=confidence,
                    )
                    for image, confidence in enumerate(confidences)
                ]
            )
        return values

    return record


def units(confidences: Array) -> Array:
    logits = margins(confidences)
    return np.stack([logits[:, np.array(UNITS) == unit].mean(1) for unit in range(8)], axis=1)


def test_models_are_attacked_with_originals_and_oracles_of_their_seeds_by_units_of_repeated_images(
    store: Store, predicted: Callable[..., Array]
) -> None:
    halves = lots(5)
    models = {
        row: units(predicted(row, halves, shift)) for row, shift in (("original", 0.3), ("oracle", 0), ("salun", 0.1))
    }
    forgotten = np.array([[unit in half for unit in range(8)] for half in halves])
    found = {one["row"]: one for one in query("from halves", store.root).to_pylist()}
    assert list(found) == ["original", "oracle", "salun"]
    for row, of_row in models.items():
        wanted = attack_halves(of_row, models["original"], models["oracle"], forgotten)
        assert (found[row]["models"], found[row]["images"]) == (5, 10)
        assert {name: found[row][name] for name in asdict(wanted)} == pytest.approx(asdict(wanted))
    assert query("from ensembles", store.root).to_pylist() == []


def test_three_models_and_models_of_one_half_are_not_attacked(store: Store, predicted: Callable[..., Array]) -> None:
    for row in ("original", "oracle", "salun"):
        predicted(row, lots(3))
    assert query("from halves", store.root).to_pylist() == []


def test_models_that_forgot_the_same_half_are_left_to_the_view_of_ensembles(
    store: Store, predicted: Callable[..., Array]
) -> None:
    for row in ("original", "oracle", "salun"):
        predicted(row, lots(1) * 6)
    assert query("from halves", store.root).to_pylist() == []
    found = query("from ensembles", store.root).to_pylist()
    assert [(one["row"], one["models"]) for one in found] == [("original", 3), ("salun", 3)]
    assert {one["images"] for one in found} == {sum(unit in lots(1)[0] for unit in UNITS)}
