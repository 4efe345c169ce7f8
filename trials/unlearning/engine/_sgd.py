"""Stochastic gradient descent on the weights that a mask leaves trainable."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unlearning.engine._optimizer import Optimizer


class SGD(Optimizer):
    """Momentum and weight decay with the arithmetic of ``torch.optim.SGD``, for one run after another.

    The mask is applied to the velocity, after weight decay has entered it, so a frozen weight stays bit-identical and
    its momentum zero (SalUn, Fan et al., ICLR 2024, equation 5: theta_u = m * theta + (1 - m) * theta_o).

    Attributes:
        velocities: one a parameter.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__(parameters)
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]

    @property
    def state(self) -> list[Tensor]:
        """The velocities."""
        return self.velocities

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
