"""Areas of classes and their mean: scikit-learn's value, DeLong's variance for two classes, and coverage for more."""

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from unlearning.clinical import class_placements, log_odds, macro_area
from unlearning.roc import Area, area_under_curve


def drawn(classes: int, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scores of each class, and labels; the score of an image's own class is higher by one."""
    labels_N = torch.randint(classes, (count,), generator=random)
    logits_NK = torch.randn(count, classes, generator=random).double()
    logits_NK[torch.arange(count), labels_N] += 1
    return logits_NK, labels_N


def mean_area(scores_NK: Tensor, labels_N: Tensor) -> Area | None:
    return macro_area(class_placements(scores_NK, labels_N), labels_N)


@pytest.mark.parametrize("classes", [3, 6])
def test_the_mean_area_is_that_of_scikit_learn(classes: int) -> None:
    logits_NK, labels_N = drawn(classes, 120, torch.Generator().manual_seed(0))
    scores_NK = torch.stack([log_odds(logits_NK, [k]) for k in range(classes)], dim=1)
    theirs = roc_auc_score(labels_N.numpy(), logits_NK.softmax(1).numpy(), multi_class="ovr")
    area = mean_area(scores_NK, labels_N)
    assert area is not None
    assert area.value == pytest.approx(theirs, abs=1e-12)


def test_of_two_classes_the_variance_is_delongs() -> None:
    logits_NK, labels_N = drawn(2, 400, torch.Generator().manual_seed(1))
    scores_NK = torch.stack([log_odds(logits_NK, [k]) for k in range(2)], dim=1)
    area, single = mean_area(scores_NK, labels_N), area_under_curve(*(scores_NK[labels_N == k, 1] for k in (1, 0)))
    assert area is not None
    assert area.value == pytest.approx(single.value, abs=1e-12)
    assert area.variance == pytest.approx(single.variance, rel=0.01)


def test_the_interval_covers_the_true_mean_area_in_about_95_of_100_draws() -> None:
    """Scores are standard normal, those of an image's own class higher by one: each area is phi(1 / sqrt 2)."""
    random = torch.Generator().manual_seed(2)
    true = 0.5 * (1 + torch.erf(torch.tensor(0.5)).item())
    covered = 0
    for _ in range(500):
        area = mean_area(*drawn(4, 150, random))
        assert area is not None
        low, high = area.interval or (0.0, 0.0)
        covered += low <= true <= high
    assert 0.92 * 500 <= covered <= 0.975 * 500


def test_the_interval_of_a_difference_covers_0_in_about_95_of_100_draws_of_two_models_as_good() -> None:
    """Two models see the same images through noise of their own, and share half of it."""
    random = torch.Generator().manual_seed(3)
    covered, narrower = 0, 0
    for _ in range(500):
        shared_NK, labels_N = drawn(3, 150, random)
        first, second = (
            class_placements(shared_NK + torch.randn(150, 3, generator=random).double(), labels_N) for _ in range(2)
        )
        pairs = [one.minus_mean([other]) for one, other in zip(first, second, strict=True) if one and other]
        difference, alone = macro_area(pairs, labels_N), macro_area(first, labels_N)
        assert difference is not None
        assert alone is not None
        low, high = difference.interval or (0.0, 0.0)
        covered += low <= 0 <= high
        narrower += difference.variance < 2 * alone.variance
    assert 0.92 * 500 <= covered <= 0.975 * 500
    assert narrower > 450


def test_without_an_image_of_each_class_there_is_no_mean() -> None:
    assert mean_area(torch.randn(5, 3).double(), torch.tensor([0, 1, 0, 1, 0])) is None
