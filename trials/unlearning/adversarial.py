"""The nearest image that a network takes for another class: projected gradient ascent within a growing L2 ball.

Source: Madry et al., ICLR 2018 (arXiv 1706.06083); the growing ball is that of Ebrahimpour-Boroojeny et al., "AMUN"
(ICML 2025), and its public code (Ali-E/AMUN, ``attack.py``, ``pgdl2_modified.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearning.engine import unit_interval

ADVERSARIAL_VERSION: Final = 1
"""Raised when the meaning of the images changes."""

Walk = Literal["restart", "continue", "whole"]


@dataclass(frozen=True)
class Attack:
    """How adversarial images are sought.

    Attributes:
        radius: of the first ball, in [0, 1] units of a pixel; a step is a tenth of it.
        steps: in each ball, at most.
        rounds: balls, each of twice the radius of the one before.
        walk: ``restart``: a new ball starts from the image, and the walk ends at the first step that is misclassified;
            ``continue``: a new ball goes on from where the last one ended; ``whole``: as restart, but every step of a
            ball is taken before the image is looked at.
    """

    radius: float = 0.04
    steps: int = 50
    rounds: int = 10
    walk: Walk = "restart"


STANDARD: Final = Attack()
"""The attack whose images are made once for an original and a forget set."""


@dataclass(frozen=True)
class Adversarial:
    """Images beside those of a set that the network takes for another class.

    Attributes:
        images_MCHW: float32 in [0, 1]; where nothing was found, the image as it was.
        labels_M: what the network takes them for.
        radius_M: of the ball in which each was found; 0 where none was needed, NaN where none sufficed.
        passes: of an image through the network, forward and backward, that finding them took.
    """

    images_MCHW: Tensor
    labels_M: Tensor
    radius_M: Tensor
    passes: int = 0

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor]) -> "Adversarial":
        """Return those that `tensors` wrote."""
        return cls(tensors["images"], tensors["labels"], tensors["radius"])

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The images, their labels and radii, by name."""
        return {"images": self.images_MCHW, "labels": self.labels_M, "radius": self.radius_M}

    @property
    def found(self) -> Tensor:
        """Where a ball sufficed: (M,), bool."""
        return ~self.radius_M.isnan()


def adversarial_images(
    model: nn.Module, images_MCHW: Tensor, labels_M: Tensor, attack: Attack, *, batch_size: int = 128
) -> Adversarial:
    """Walk from each image up the loss until it is misclassified, in a ball that doubles from round to round.

    The network is in eval mode and computes in float32.

    Args:
        images_MCHW: uint8, on the model's device.
        labels_M: true labels, on the same device.
        batch_size: images at a time; it changes rounding alone.
    """
    model.eval()
    batches = zip(images_MCHW.split(batch_size), labels_M.split(batch_size), strict=True)
    parts = [_Walkers(model, unit_interval(images_BCHW), labels_B).walk(attack) for images_BCHW, labels_B in batches]
    return Adversarial(
        torch.cat([part.images_MCHW for part in parts]),
        torch.cat([part.labels_M for part in parts]),
        torch.cat([part.radius_M for part in parts]),
        sum(part.passes for part in parts),
    )


class _Walkers:
    """Images of one batch on their way."""

    def __init__(self, model: nn.Module, clean_BCHW: Tensor, labels_B: Tensor) -> None:
        self.model, self.clean_BCHW, self.labels_B = model, clean_BCHW, labels_B
        self.reached_BCHW, self.found_B = clean_BCHW.clone(), labels_B.clone()
        self.radius_B = torch.full(labels_B.shape, torch.nan, device=labels_B.device)
        self.passes = 0

    def walk(self, attack: Attack) -> Adversarial:
        """Walk through all balls."""
        for number in range(attack.rounds):
            size = attack.radius * 2**number
            if attack.walk != "continue":
                self.reached_BCHW = torch.where(self._lost, self.clean_BCHW, self.reached_BCHW)
            for step in range(attack.steps + 1):
                looked_at = attack.walk != "whole" or step == attack.steps
                self._step(size, looked_at=looked_at, moves=step < attack.steps, needed=step + number > 0)
        reached_BCHW = torch.where(self._lost, self.clean_BCHW, self.reached_BCHW)
        return Adversarial(reached_BCHW, self.found_B, self.radius_B, self.passes)

    @property
    def _lost(self) -> Tensor:
        return self.radius_B.isnan()[:, None, None, None]

    def _step(self, size: float, *, looked_at: bool, moves: bool, needed: bool) -> None:
        """Take out the images that are misclassified where they are, and move the others.

        Args:
            size: radius of the ball.
            looked_at: whether images are taken out.
            moves: whether the others move.
            needed: whether an image that is taken out needed a ball.
        """
        left_A = self.radius_B.isnan().nonzero().flatten()
        if not len(left_A):
            return
        gradient_ACHW, predicted_A = self._gradient(self.reached_BCHW[left_A], self.labels_B[left_A])
        wrong_A = (predicted_A != self.labels_B[left_A]) & looked_at
        self.radius_B[left_A[wrong_A]] = size if needed else 0.0
        self.found_B[left_A[wrong_A]] = predicted_A[wrong_A]
        if moves:
            walking_A = left_A[~wrong_A]
            moved = self.reached_BCHW[walking_A] + size / 10 * _unit(gradient_ACHW[~wrong_A])
            away = moved - self.clean_BCHW[walking_A]
            inside = away * (size / _norm(away).clamp(min=1e-12)).clamp(max=1)
            self.reached_BCHW[walking_A] = (self.clean_BCHW[walking_A] + inside).clamp(0, 1)

    def _gradient(self, images_ACHW: Tensor, labels_A: Tensor) -> tuple[Tensor, Tensor]:
        images_ACHW = images_ACHW.detach().requires_grad_(True)
        logits_AK = self.model(images_ACHW)
        [gradient] = torch.autograd.grad(cross_entropy(logits_AK, labels_A, reduction="sum"), images_ACHW)
        self.passes += len(images_ACHW)
        return gradient, logits_AK.detach().argmax(1)


def _norm(images: Tensor) -> Tensor:
    norms: Tensor = images.flatten(1).norm(dim=1)
    return norms[:, None, None, None]


def _unit(images: Tensor) -> Tensor:
    return images / (_norm(images) + 1e-10)
