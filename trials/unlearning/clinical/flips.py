"""Images whose decision differs between two models."""

from torch import Tensor


def flips(decisions_N: Tensor, others_N: Tensor) -> Tensor:
    """Return which images two models decide differently, bool, (N,); int64 classes of the same images."""
    return decisions_N != others_N


def missed(called_N: Tensor, by_other_N: Tensor) -> Tensor:
    """Return which images another model calls critical and this one does not; all bool, (N,)."""
    return by_other_N & ~called_N
