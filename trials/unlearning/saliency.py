"""Weight saliency of SalUn: how strongly the forget set's loss pulls on each weight of the original, and the masks.

Source: Fan et al., "SalUn", ICLR 2024 (arXiv 2310.12508), equation 4; the sum over batches and the ranking over all
parameters at once follow the authors' public code (OPTML-Group/Unlearn-Saliency, ``generate_mask.py``).
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from unlearning.engine import unit_interval
from unlearning.images import Images
from unlearning.tasks import mean_loss

SALIENCY_VERSION = 1
"""Raised when the meaning of the scores changes."""


def saliency_scores(
    model: nn.Module, images_NCHW: Images, labels_N: Tensor, *, batch_size: int = 256
) -> dict[str, Tensor]:
    """Score every trainable weight: |sum over batches of the gradient of the batch's mean loss|.

    The network is in eval mode and computes in float32.

    Args:
        images_NCHW: the forget set, uint8, on the model's device, or streamed to it.
        labels_N: its true labels, on the same device.

    Returns:
        Scores on the CPU by parameter name, each of its parameter's shape.
    """
    model.eval()
    model.zero_grad()
    for images_BCHW, labels_B in zip(images_NCHW.split(batch_size), labels_N.split(batch_size), strict=True):
        mean_loss(model(unit_interval(images_BCHW)), labels_B).backward()
    scores = {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.abs()
        for name, parameter in model.named_parameters()
    }
    model.zero_grad()
    return {name: score.cpu().contiguous() for name, score in scores.items()}


_BLOCK_BITS = 7
"""A ranking is stored in at most 2 ** 7 blocks, so that a weight's block is a byte."""


class Ranking:
    """All weights of a network in an order; the mask of a density leaves the first of them trainable.

    A mask is cut in one pass over a byte a weight: whole blocks of the order, and then what is left of the next one.

    Args:
        order_P: int64, the weights from first to last, as places in the parameters one after another, flattened.
        shapes: of the parameters.
    """

    def __init__(self, order_P: Tensor, shapes: Iterable[torch.Size]) -> None:
        self._order_P = order_P
        self._shapes = list(shapes)
        self._shift = max(0, (len(order_P) - 1).bit_length() - _BLOCK_BITS)
        blocks_P = torch.arange(len(order_P), device=order_P.device) >> self._shift
        self._block_P = torch.empty_like(order_P, dtype=torch.uint8).scatter_(0, order_P, blocks_P.to(torch.uint8))

    @classmethod
    def by_chance(cls, parameters: Iterable[Tensor], random: torch.Generator) -> "Ranking":
        """Rank the weights of these parameters at random: SalUn's control, whose masks have the same densities."""
        parameters = list(parameters)
        rank_P = torch.randperm(sum(parameter.numel() for parameter in parameters), generator=random)
        order_P = torch.empty_like(rank_P).scatter_(0, rank_P, torch.arange(len(rank_P)))
        return cls(order_P.to(parameters[0].device), [parameter.shape for parameter in parameters])

    def trainable(self, density: float) -> int:
        """Count the weights that ``density`` leaves trainable."""
        return int(density * len(self._order_P))

    def masks(self, density: float) -> list[Tensor]:
        """Return one bool tensor a parameter: True for the share ``density`` that ranks first, over all at once."""
        count = self.trainable(density)
        whole = count >> self._shift
        trainable_P = torch.empty_like(self._block_P)
        torch.lt(self._block_P, whole, out=trainable_P)  # bytes to bytes: 16 times as fast on a CPU as bytes to bool
        trainable_P = trainable_P.view(torch.bool)
        trainable_P[self._order_P[whole << self._shift : count]] = True
        parts = trainable_P.split([shape.numel() for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]


class Saliency(Ranking):
    """All weights by their saliency scores, highest first; sorted once, for the mask of any density.

    Ties are broken by position, so that a mask has exactly the share of trainable weights that its density says.
    """

    def __init__(self, scores: Mapping[str, Tensor]) -> None:
        flat_P = torch.cat([score.flatten() for score in scores.values()])
        self._sorted_P, order_P = flat_P.sort(descending=True, stable=True)
        super().__init__(order_P, [score.shape for score in scores.values()])

    def threshold(self, density: float) -> float | None:
        """Return gamma, the smallest score that is still trainable at ``density``; None where no weight is."""
        count = self.trainable(density)
        return float(self._sorted_P[count - 1]) if count else None
