"""Log loss and Brier score as scikit-learn has them, and the temperature as an optimiser of SciPy finds it."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss
from torch import Tensor

from unlearning.clinical import brier_score, fit_temperature, log_loss


def drawn(classes: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Logits of 300 images, too sure by a factor, with labels drawn from what they say without it."""
    random = torch.Generator().manual_seed(classes)
    logits_NK = 2 * torch.randn(300, classes, generator=random).double()
    labels_N = torch.multinomial(logits_NK.softmax(1), 1, generator=random).squeeze(1)
    return scale * logits_NK, labels_N


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_are_those_of_scikit_learn(classes: int) -> None:
    logits_NK, labels_N = drawn(classes)
    truth, probabilities = labels_N.numpy(), logits_NK.softmax(1).numpy()
    labels = list(range(classes))
    theirs = brier_score_loss(truth, probabilities, labels=labels, scale_by_half=False)
    assert brier_score(logits_NK, labels_N) == pytest.approx(theirs, abs=1e-12)
    assert log_loss(logits_NK, labels_N) == pytest.approx(sklearn_log_loss(truth, probabilities, labels=labels))


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_temperature_is_where_the_log_loss_is_smallest(scale: float) -> None:
    logits_NK, labels_N = drawn(4, scale)
    found = minimize_scalar(
        lambda power: log_loss(logits_NK / np.exp(power), labels_N), bounds=(-8, 8), options={"xatol": 1e-9}
    )
    temperature = fit_temperature(logits_NK, labels_N)
    assert temperature == pytest.approx(np.exp(found.x), rel=1e-5)
    assert temperature == pytest.approx(scale, rel=0.2)


def test_a_model_that_is_k_times_as_sure_has_k_times_the_temperature() -> None:
    logits_NK, labels_N = drawn(3)
    once, thrice = fit_temperature(logits_NK, labels_N), fit_temperature(3 * logits_NK, labels_N)
    assert once is not None
    assert thrice == pytest.approx(3 * once, rel=1e-12)


def test_no_temperature_is_best_for_a_model_that_is_always_right_or_points_the_wrong_way() -> None:
    logits_NK, _ = drawn(3)
    assert fit_temperature(logits_NK, logits_NK.argmax(1)) is None
    assert fit_temperature(logits_NK, logits_NK.argmin(1)) is None
