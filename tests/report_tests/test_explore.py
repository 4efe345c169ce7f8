"""What two rows of a table are compared by: names of classes, ROC of forget against control images, thresholds."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lethe.report.page import render_page
from lethe.results import PredictionRow, Store
from unlearning.roc import area_under_curve

Confirm = Callable[..., None]
Make = Callable[..., Any]


def rows_of(store: Store) -> dict[str, Any]:
    html = render_page(store.root, None).html
    [held] = re.findall(r'class="rows">(.*?)</script>', html, re.DOTALL)
    return {row["row"]: row for row in json.loads(held)}


def predict(store: Store, make: Make, confidences: dict[str, list[float]], **changes: Any) -> None:
    """Records what salun predicts on seed 1: its confidence in each forget and each control image."""
    known = {"row": "salun", "training_seed": 1, "confirmation_id": "salun-q-1"}
    store.append(
        [
            make(PredictionRow, **known | {"split": split, "image": image, "confidence": one} | changes)
            for split, own in confidences.items()
            for image, one in enumerate(own)
        ]
    )


def test_classes_have_their_names_also_where_none_is_forgotten_or_predicted(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1,), recall_per_class=[0.5, 0.25], class_names=["basophil", "platelet"])
    assert rows_of(store)["salun"]["recall"] == [["basophil", 0.5], ["platelet", 0.25]]


def test_the_noise_floor_is_set_beside_no_gap(store: Store, confirm: Confirm) -> None:
    confirm("oracle", (0.01, 0.02, 0.04))
    confirm("salun", (0.02, 0.03, 0.05))
    rows = rows_of(store)
    assert rows["oracle (noise floor)"]["measures"]["gap"] is None
    assert rows["salun"]["measures"]["gap"] == pytest.approx(0.1 / 3)


def test_in_early_results_classes_have_the_names_that_predictions_hold_those_predicted_too(
    store: Store, confirm: Confirm, make: Make
) -> None:
    confirm("salun", (0.1,), recall_per_class=[0.5, 0.25, 0.125])
    named = {"label": 0, "label_name": "basophil", "predicted": 2, "predicted_name": "platelet"}
    predict(store, make, {"forget": [0.4]}, **named)
    assert rows_of(store)["salun"]["recall"] == [["basophil", 0.5], ["class 1", 0.25], ["platelet", 0.125]]


def test_the_roc_curve_of_forget_against_control_is_that_of_the_stored_confidences(
    store: Store, confirm: Confirm, make: Make
) -> None:
    random = np.random.default_rng(0)
    forget, control = (np.round(random.beta(a, 2, 200), 2).tolist() for a in (4, 2))
    confirm("salun", (0.1,))
    predict(store, make, {"forget": forget, "control": control})
    roc = rows_of(store)["salun"]["roc"]
    area = area_under_curve(*(torch.tensor(one, dtype=torch.float64) for one in (forget, control)))
    assert roc["area"] == pytest.approx(area.value)
    assert (roc["x"][0], roc["y"][0], roc["x"][-1], roc["y"][-1]) == (0, 0, 1, 1)
    assert roc["x"] == sorted(roc["x"])
    assert roc["y"] == sorted(roc["y"])
    points = {(np.mean(np.array(control) >= at), np.mean(np.array(forget) >= at)) for at in {*forget, *control}}
    for point in zip(roc["x"][1:], roc["y"][1:], strict=True):
        assert any(point == pytest.approx(one) for one in points)


def test_without_a_control_half_there_is_no_curve(store: Store, confirm: Confirm, make: Make) -> None:
    confirm("salun", (0.1,))
    predict(store, make, {"forget": [0.4, 0.5]})
    assert rows_of(store)["salun"]["roc"] is None


def call(store: Store, make: Make, seed: int, **calls: dict[float, bool]) -> None:
    """Records what the attack says of salun on a seed: by split, the confidences that it calls non-members or not."""
    known = {"row": "salun", "training_seed": seed, "confirmation_id": f"salun-q-{seed}"}
    store.append(
        [
            make(PredictionRow, **known, split=split, image=image, confidence=confidence, called_nonmember=called)
            for split, own in calls.items()
            for image, (confidence, called) in enumerate(own.items())
        ]
    )


def test_a_threshold_lies_midway_between_the_nearest_images_that_are_called_differently(
    store: Store, confirm: Confirm, make: Make
) -> None:
    confirm("salun", (0.1, 0.2, 0.3))
    call(store, make, 1, forget={0.2: True, 0.5: True, 0.9: False})
    call(store, make, 2, forget={0.75: False}, control={0.25: True})
    call(store, make, 3, forget={0.5: True, 0.6: False}, control={0.5: False})
    assert rows_of(store)["salun"]["thresholds"] == {"at": [0.7, 0.5, 0.5], "alike": 0, "mixed": 0}


def test_there_is_no_threshold_where_all_are_called_alike_or_nonmembers_are_an_interval_or_the_surer_ones(
    store: Store, confirm: Confirm, make: Make
) -> None:
    confirm("salun", (0.1, 0.2, 0.3, 0.4))
    call(store, make, 1, forget={0.2: False, 0.9: False})
    call(store, make, 2, forget={0.2: True, 0.9: True})
    call(store, make, 3, forget={0.2: False, 0.9: False}, control={0.5: True})
    call(store, make, 4, forget={0.2: False, 0.9: True})
    assert rows_of(store)["salun"]["thresholds"] == {"at": [], "alike": 2, "mixed": 2}


def test_results_of_an_early_version_have_no_thresholds(store: Store, confirm: Confirm, make: Make) -> None:
    confirm("salun", (0.1,))
    predict(store, make, {"forget": [0.4, 0.5], "control": [0.3, 0.6]})
    row = rows_of(store)["salun"]
    assert (row["thresholds"], row["confidence"]["forget"][8]) == (None, 1)
