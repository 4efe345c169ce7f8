"""How often a network is right in an audit, and on unseen images whose mix of classes is that of D_f."""

import math

import torch
from torch import Tensor

from unlearning.engine import Engine
from unlearning.images import Images


def share_right(engine: Engine, images_NCHW: Images, labels_N: Tensor) -> float:
    """Return the share of uint8 images that the network recognises; nan where it has diverged.

    Args:
        images_NCHW: on the engine's device, or streamed to it.
        labels_N: on the CPU.
    """
    logits_NK = engine.predict(images_NCHW)
    if not logits_NK.isfinite().all():
        return math.nan
    return float((logits_NK.argmax(1) == labels_N).double().mean())


def matched_share(right_N: Tensor, labels_N: Tensor, wanted_M: Tensor) -> float:
    """Return the share of right images, class by class, in the mix of classes of other images.

    Where the mix is that of D_f, a class that is easier than others is no advantage of the images that are in D_f.

    Args:
        right_N: bool, (N,).
        labels_N: int64, (N,): their classes.
        wanted_M: int64, (M,): the classes of the other images.

    Returns:
        Sum over classes k of the share of k among the M x the share of right images among those of class k; nan where
        the N have none of a class that the M have.
    """
    classes, counts = wanted_M.unique(return_counts=True)
    shares = torch.stack([right_N[labels_N == index].double().mean() for index in classes])
    return float((shares * counts).sum() / counts.sum())
