"""Multinomial logistic regression on standardised features: the linear probe of frozen features."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

STEPS: Final = 1000
TOLERANCE: Final = 1e-7
"""Largest entry of the gradient at which the search for the minimum ends."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier of features.

    Attributes:
        mean_D, scale_D: float64; features are standardised by them.
        weights_DK, bias_K: float64.
        classes_K: int64, the classes that it knows.
    """

    mean_D: Tensor
    scale_D: Tensor
    weights_DK: Tensor
    bias_K: Tensor
    classes_K: Tensor

    def classify(self, features_ND: Tensor) -> Tensor:
        """Return the likeliest class of each image, int64, (N,)."""
        return self.classes_K[self._scores(features_ND).argmax(1)]

    def log_probabilities(self, features_ND: Tensor) -> Tensor:
        """Return the logarithm of the probability of each known class, float64, (N, K), in the order of `classes_K`."""
        return self._scores(features_ND).log_softmax(1)

    def _scores(self, features_ND: Tensor) -> Tensor:
        return (features_ND - self.mean_D) / self.scale_D @ self.weights_DK + self.bias_K


def fit_probe(features_ND: Tensor, labels_N: Tensor, penalty: float = 1.0) -> LinearProbe:
    """Fit multinomial logistic regression: minimise sum of cross-entropy + penalty / 2 x |weights|^2 by L-BFGS.

    It draws nothing and starts from zero, and the minimum is unique, so the same features give the same probe. With
    penalty 1 / C it is scikit-learn's ``LogisticRegression(C=C)`` on standardised features.

    Args:
        features_ND: float64, on the CPU; a constant feature is left at unit scale.
        labels_N: int64; classes that do not occur are not known to the probe.
    """
    classes_K, targets_N = labels_N.unique(return_inverse=True)
    mean_D, std_D = features_ND.mean(0), features_ND.std(0, correction=0)
    scale_D = torch.where(std_D > 0, std_D, torch.ones_like(std_D))
    standard_ND = (features_ND - mean_D) / scale_D
    weights_DK = features_ND.new_zeros(features_ND.shape[1], len(classes_K), requires_grad=True)
    bias_K = features_ND.new_zeros(len(classes_K), requires_grad=True)
    descent = torch.optim.LBFGS(
        [weights_DK, bias_K],
        max_iter=STEPS,
        tolerance_grad=TOLERANCE,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        descent.zero_grad()
        total = cross_entropy(standard_ND @ weights_DK + bias_K, targets_N, reduction="sum")
        total = total + penalty / 2 * weights_DK.square().sum()
        total.backward()
        return total

    descent.step(loss)
    return LinearProbe(mean_D, scale_D, weights_DK.detach(), bias_K.detach(), classes_K)
