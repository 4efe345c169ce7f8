"""Images whose decision differs between two models."""

from torch import Tensor


def flips(decisions_N: Tensor, others_N: Tensor) -> int:
    """Count the images that two models decide differently; int64 classes, (N,), of the same images."""
    return int((decisions_N != others_N).sum())


def missed(called_N: Tensor, by_other_N: Tensor) -> int:
    """Count the images that another model calls critical and this one does not; both bool, (N,)."""
    return int((by_other_N & ~called_N).sum())
