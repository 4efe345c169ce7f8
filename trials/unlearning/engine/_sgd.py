"""Stochastic gradient descent on the weights that a mask leaves trainable."""

from collections.abc import Sequence

import torch
from torch import Tensor


class SGD:
    """Momentum and weight decay with the arithmetic of ``torch.optim.SGD``, for one run after another.

    The mask is applied to the velocity, after weight decay has entered it, so a frozen weight stays bit-identical and
    its momentum zero (SalUn, Fan et al., ICLR 2024, equation 5: theta_u = m * theta + (1 - m) * theta_o).

    Rates, velocities and masks are tensors that keep their memory: a step that a GPU has recorded (`Replays`) serves
    every run. They are those of `begin`, before which there is no run.

    Attributes:
        lr: learning rate, a tensor of one number; filled before each step.
        velocities: one a parameter.
        is_masked: whether the run has masks.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.lr, self._momentum, self._weight_decay = (self.parameters[0].new_zeros(()) for _ in range(3))
        self.is_masked = False
        self._masks: list[Tensor] = []

    @property
    def state(self) -> list[Tensor]:
        """What a step changes beside the weights."""
        return self.velocities

    def begin(self, *, momentum: float, weight_decay: float, masks: Sequence[Tensor] | None = None) -> None:
        """Begin a run at rest.

        Args:
            masks: one tensor a parameter, of its shape, nonzero = trainable and zero = frozen; None: all are trainable.
        """
        torch._foreach_zero_(self.velocities)
        self._momentum.fill_(momentum)
        self._weight_decay.fill_(weight_decay)
        self.is_masked = masks is not None
        if masks is not None:
            self._masks = self._masks or [torch.empty_like(parameter) for parameter in self.parameters]
            for mine, mask in zip(self._masks, masks, strict=True):
                mine.copy_(mask)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Move the weights against their gradients."""
        moves = torch._foreach_mul(self.parameters, self._weight_decay)
        torch._foreach_add_(moves, list(gradients))
        torch._foreach_mul_(self.velocities, self._momentum)
        torch._foreach_add_(self.velocities, moves)
        if self.is_masked:
            torch._foreach_mul_(self.velocities, self._masks)
        torch._foreach_sub_(self.parameters, torch._foreach_mul(self.velocities, self.lr))
