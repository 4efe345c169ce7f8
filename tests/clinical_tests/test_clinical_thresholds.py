"""Operating points: those of scikit-learn's ROC curve, and what no threshold can be chosen on."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_curve
from torch import Tensor

from unlearning.clinical import log_odds, point_reaching, youden_point


def drawn(seed: int, *, ties: bool) -> tuple[Tensor, Tensor]:
    """Scores of 90 images, and which of them are positive, whose scores are higher."""
    random = torch.Generator().manual_seed(seed)
    positive_N = torch.rand(90, generator=random) < 0.3
    scores_N = torch.randn(90, generator=random).double() + positive_N
    return (scores_N * 2).round() / 2 if ties else scores_N, positive_N


def rates(threshold: float, scores_N: Tensor, positive_N: Tensor) -> tuple[float, float]:
    called_N = scores_N >= threshold
    return float(called_N[positive_N].double().mean()), float((~called_N[~positive_N]).double().mean())


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_youdens_point_is_the_best_of_the_roc_curve(seed: int, ties: bool) -> None:
    scores_N, positive_N = drawn(seed, ties=ties)
    alarms, hits, thresholds = roc_curve(positive_N.numpy(), scores_N.numpy(), drop_intermediate=False)
    index = np.round(hits - alarms, 12)
    assert youden_point(scores_N, positive_N) == thresholds[index.argmax()]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("sensitivity", [0.07, 0.5, 0.9, 1.0])
def test_the_highest_threshold_that_reaches_a_sensitivity_is_that_of_the_roc_curve(
    sensitivity: float, ties: bool
) -> None:
    scores_N, positive_N = drawn(1, ties=ties)
    _, hits, thresholds = roc_curve(positive_N.numpy(), scores_N.numpy(), drop_intermediate=False)
    point = point_reaching(sensitivity, scores_N, positive_N)
    assert point == thresholds[(hits >= sensitivity).argmax()]
    assert rates(point, scores_N, positive_N)[0] >= sensitivity


def test_of_thresholds_that_are_equally_good_the_highest_is_taken() -> None:
    positive_N = torch.tensor([1, 0, 1, 0]).bool()
    assert youden_point(torch.tensor([4.0, 3.0, 2.0, 1.0]), positive_N) == 4.0


@pytest.mark.parametrize("all_positive", [True, False])
def test_without_a_second_side_there_is_no_operating_point(all_positive: bool) -> None:
    scores_N, positive_N = torch.randn(4), torch.full((4,), all_positive)
    assert youden_point(scores_N, positive_N) is None
    assert point_reaching(0.9, scores_N, positive_N) is None


def test_log_odds_are_those_of_the_groups_probability() -> None:
    logits_NK = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    of_group_N = logits_NK.double().softmax(1)[:, [0, 3]].sum(1)
    assert torch.allclose(log_odds(logits_NK, [0, 3]), of_group_N.logit())


def test_log_odds_differ_where_probabilities_round_to_one() -> None:
    first, second = log_odds(torch.tensor([[60.0, 0.0], [80.0, 0.0]]), [0]).tolist()
    assert (first, second) == (60.0, 80.0)
