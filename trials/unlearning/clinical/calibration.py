"""How far probabilities can be believed: log loss, Brier score, and the temperature that would correct them."""

from typing import Final

from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

_WIDEST: Final = 2.0**40
"""The largest temperature that is looked for, and one over the smallest."""

_HALVINGS: Final = 60
"""Steps of the bisection, after which a bracket of one octave is at the resolution of float64."""


def log_loss(logits_NK: Tensor, labels_N: Tensor) -> float:
    """Return the mean of -log of the true class's probability, in nats; 0 is the best."""
    return float(cross_entropy(logits_NK.detach().cpu().double(), labels_N.cpu()))


def brier_score(logits_NK: Tensor, labels_N: Tensor) -> float:
    """Return the mean squared distance of the probabilities from the truth, summed over the classes, in [0, 2].

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 1950. For two
    classes it is twice the score of the second class's probability alone.
    """
    probabilities_NK = logits_NK.detach().cpu().double().softmax(1)
    truth_NK = one_hot(labels_N.cpu(), probabilities_NK.shape[1])
    return float((probabilities_NK - truth_NK).square().sum(1).mean())


def fit_temperature(logits_NK: Tensor, labels_N: Tensor) -> float | None:
    """Return the temperature by which dividing the logits makes the log loss smallest; above 1 for one too sure.

    The loss is convex in one over the temperature, so its slope is bisected.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.

    Returns:
        None where no temperature is best: every image is classified correctly, so that the loss falls as it goes to 0,
        or the logits do not point to the true classes, and the loss falls as it grows.
    """
    logits_NK, labels_N = logits_NK.detach().cpu().double(), labels_N.cpu()
    true_N = logits_NK.gather(1, labels_N[:, None]).squeeze(1)

    def slope(inverse: float) -> float:
        expected_N = ((logits_NK * inverse).softmax(1) * logits_NK).sum(1)
        return float((expected_N - true_N).mean())

    low = high = 1.0
    while slope(low) > 0 and low > 1 / _WIDEST:
        low, high = low / 2, low
    while slope(high) <= 0 and high < _WIDEST:
        low, high = high, high * 2
    if slope(low) > 0 or slope(high) <= 0:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) <= 0 else (low, middle)
    return 2 / (low + high)
