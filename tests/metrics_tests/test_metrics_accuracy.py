import math

import numpy as np
import pytest
import torch
from medmnist.evaluator import getACC, getAUC
from sklearn.metrics import roc_auc_score

from unlearning.metrics import (
    DivergedError,
    Predictions,
    accuracy,
    auc,
    per_class_recall,
    unlearning_accuracy,
)

THREE_OF_FOUR = Predictions(
    torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.5], [0.0, 3.0, 1.0], [5.0, 0.0, 0.0]]), torch.tensor([0, 1, 2, 0])
)


def random_predictions(classes: int, samples: int = 300, seed: int = 0) -> Predictions:
    random = torch.Generator().manual_seed(seed)
    labels_N = torch.arange(samples) % classes
    logits_NK = torch.randn(samples, classes, generator=random)
    logits_NK[torch.arange(samples), labels_N] += 1
    return Predictions(logits_NK, labels_N)


def softmax(predictions: Predictions) -> np.ndarray:
    return predictions.logits_NK.double().softmax(1).numpy()


def test_accuracy_is_the_share_of_right_answers_and_unlearning_accuracy_the_rest() -> None:
    assert accuracy(THREE_OF_FOUR) == 0.75
    assert unlearning_accuracy(THREE_OF_FOUR) == 0.25


def test_accuracy_of_no_samples_is_not_a_number() -> None:
    assert math.isnan(accuracy(THREE_OF_FOUR.at(torch.zeros(4, dtype=torch.bool))))


def test_recall_of_each_class_is_nan_for_a_class_without_samples() -> None:
    assert per_class_recall(THREE_OF_FOUR) == (1.0, 1.0, 0.0)
    first, second, third = per_class_recall(THREE_OF_FOUR.at(torch.tensor([0, 2])))
    assert (first, third) == (1.0, 0.0)
    assert math.isnan(second)


@pytest.mark.parametrize(
    ("task", "classes"), [("binary-class", 2), ("multi-class", 2), ("multi-class", 9), ("ordinal-regression", 5)]
)
def test_auc_and_accuracy_equal_medmnists_own(task: str, classes: int) -> None:
    predictions = random_predictions(classes)
    labels_N1 = predictions.labels_N.numpy()[:, None]
    assert auc(predictions) == pytest.approx(getAUC(labels_N1, softmax(predictions), task), abs=1e-12)
    assert accuracy(predictions) == pytest.approx(getACC(labels_N1, softmax(predictions), task), abs=1e-12)


def test_auc_equals_the_one_against_the_rest_average_of_scikit_learn() -> None:
    predictions = random_predictions(classes=7)
    expected = roc_auc_score(predictions.labels_N, softmax(predictions), multi_class="ovr", average="macro")
    assert auc(predictions) == pytest.approx(expected, abs=1e-12)


def test_auc_counts_the_pairs_in_the_right_order() -> None:
    logits_NK = torch.tensor([[0.0, 1.0], [0.0, 3.0], [0.0, 2.0], [0.0, 4.0]])
    assert auc(Predictions(logits_NK, torch.tensor([0, 0, 1, 1]))) == 0.75


@pytest.mark.parametrize("classes", [2, 4])
def test_auc_without_samples_of_a_class_is_not_a_number(classes: int) -> None:
    predictions = random_predictions(classes)
    assert math.isnan(auc(predictions.at(predictions.labels_N != 1)))


def test_predictions_refuse_logits_of_a_diverged_model_and_count_them() -> None:
    logits_NK = torch.zeros(5, 3)
    logits_NK[1, 2], logits_NK[4] = torch.inf, torch.nan
    with pytest.raises(DivergedError, match="2 of 5 samples"):
        Predictions(logits_NK, torch.zeros(5, dtype=torch.long))


def test_predictions_refuse_labels_as_a_column() -> None:
    with pytest.raises(ValueError, match=r"wanted labels of shape \(5,\).*got \(5, 1\)"):
        Predictions(torch.zeros(5, 3), torch.zeros(5, 1, dtype=torch.long))
