"""Stochastic gradient descent on the weights that a mask leaves trainable."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from unlearning.engine._optimizer import Optimizer


class SGD(Optimizer):
    """Momentum and weight decay with the arithmetic of ``torch.optim.SGD``, for one run after another.

    The mask is applied to the velocity, after weight decay has entered it, so a frozen weight stays bit-identical and
    its momentum zero (SalUn, Fan et al., ICLR 2024, equation 5: theta_u = m * theta + (1 - m) * theta_o).

    Args:
        nesterov: whether the weights move by the gradient and the velocity that it leads to (Sutskever et al., 2013).

    Attributes:
        velocities: one a parameter.
    """

    state_name: ClassVar[str] = "velocity"

    def __init__(self, parameters: Sequence[Tensor], *, nesterov: bool = False) -> None:
        super().__init__(parameters)
        self._nesterov = nesterov
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]

    @property
    def state(self) -> list[Tensor]:
        """The velocities."""
        return self.velocities

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Move the weights against their gradients."""
        moves = list(torch._foreach_mul(self.parameters, self._weight_decay))
        torch._foreach_add_(moves, list(gradients))
        torch._foreach_mul_(self.velocities, self._momentum)
        torch._foreach_add_(self.velocities, moves)
        if self.is_masked:
            torch._foreach_mul_(self.velocities, self._masks)
        if not self._nesterov:
            moves = self.velocities
        else:
            torch._foreach_add_(moves, torch._foreach_mul(self.velocities, self._momentum))
            if self.is_masked:
                torch._foreach_mul_(moves, self._masks)
        torch._foreach_sub_(self.parameters, torch._foreach_mul(moves, self.lr))
