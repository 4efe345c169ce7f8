"""The nearest image that a network takes for another class: projected gradient ascent within a growing L2 ball.

Source: Madry et al., ICLR 2018 (arXiv 1706.06083); the growing ball is that of Ebrahimpour-Boroojeny et al., "AMUN"
(ICML 2025), and its public code (Ali-E/AMUN, ``attack.py``, ``pgdl2_modified.py``).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearning.engine import Engine, unit_interval

Walk = Literal["restart", "continue"]


@dataclass(frozen=True)
class Adversarial:
    """Images beside those of a set that the network takes for another class.

    Attributes:
        images_MCHW: float32 in [0, 1]; where nothing was found, the image as it was.
        labels_M: what the network takes them for.
        radius_M: of the ball in which each was found; 0 where none was needed, NaN where none sufficed.
    """

    images_MCHW: Tensor
    labels_M: Tensor
    radius_M: Tensor

    @property
    def found(self) -> Tensor:
        """Where a ball sufficed: (M,), bool."""
        return ~self.radius_M.isnan()


def attack(
    engine: Engine,
    indices_M: Tensor,
    labels_M: Tensor,
    *,
    radius: float,
    steps: int,
    rounds: int,
    walk: Walk,
    batch_size: int,
) -> Adversarial:
    """Walk from each image up the loss until it is misclassified, in a ball that doubles from round to round.

    The network must be in eval mode. Images that are walked count as trained on, once a step.

    Args:
        radius: of the first ball, in [0, 1] units of a pixel; a step is a tenth of it.
        steps: in each round, at most.
        walk: a new round starts from the image, or goes on from where the last one ended.
    """
    parts = [
        _attack(engine, indices_B, labels_B, radius, steps, rounds, walk)
        for indices_B, labels_B in zip(indices_M.split(batch_size), labels_M.split(batch_size), strict=True)
    ]
    return Adversarial(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _attack(
    engine: Engine, indices_B: Tensor, labels_B: Tensor, radius: float, steps: int, rounds: int, walk: Walk
) -> tuple[Tensor, Tensor, Tensor]:
    labels_B = labels_B.to(engine.device)
    clean_BCHW = unit_interval(engine.images_NCHW[indices_B.to(engine.device)])
    reached_BCHW, found_B = clean_BCHW.clone(), labels_B.clone()
    radius_B = torch.full(labels_B.shape, torch.nan, device=engine.device)
    for number in range(rounds):
        size = radius * 2**number
        if walk == "restart":
            reached_BCHW = torch.where(radius_B.isnan()[:, None, None, None], clean_BCHW, reached_BCHW)
        for step in range(steps + 1):
            left_A = radius_B.isnan().nonzero().flatten()
            if not len(left_A):
                return reached_BCHW, found_B, radius_B
            gradient_ACHW, predicted_A = _gradient(engine, reached_BCHW[left_A], labels_B[left_A])
            wrong_A = predicted_A != labels_B[left_A]
            radius_B[left_A[wrong_A]] = size if step or number else 0.0
            found_B[left_A[wrong_A]] = predicted_A[wrong_A]
            if step < steps:
                walking_A = left_A[~wrong_A]
                moved = reached_BCHW[walking_A] + size / 10 * _unit(gradient_ACHW[~wrong_A])
                away = moved - clean_BCHW[walking_A]
                inside = away * (size / _norm(away).clamp(min=1e-12)).clamp(max=1)
                reached_BCHW[walking_A] = (clean_BCHW[walking_A] + inside).clamp(0, 1)
    failed_B = radius_B.isnan()[:, None, None, None]
    return torch.where(failed_B, clean_BCHW, reached_BCHW), found_B, radius_B


def _gradient(engine: Engine, images_ACHW: Tensor, labels_A: Tensor) -> tuple[Tensor, Tensor]:
    images_ACHW = images_ACHW.detach().requires_grad_(True)
    logits_AK = engine.model(images_ACHW)
    [gradient] = torch.autograd.grad(cross_entropy(logits_AK, labels_A, reduction="sum"), images_ACHW)
    engine.images_trained += len(images_ACHW)
    return gradient, logits_AK.detach().argmax(1)


def _norm(images: Tensor) -> Tensor:
    norms: Tensor = images.flatten(1).norm(dim=1)
    return norms[:, None, None, None]


def _unit(images: Tensor) -> Tensor:
    return images / (_norm(images) + 1e-10)
