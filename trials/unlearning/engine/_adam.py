"""Adam on the weights that a mask leaves trainable (Kingma and Ba, ICLR 2015)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from unlearning.engine._optimizer import Optimizer

_DECAY = 0.999
_EPSILON = 1e-8


class Adam(Optimizer):
    """The arithmetic of ``torch.optim.Adam`` with beta2 0.999; a frozen weight stays bit-identical."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        super().__init__(parameters)
        self._first, self._second = ([torch.zeros_like(one) for one in self.parameters] for _ in range(2))
        self._steps = self.parameters[0].new_zeros(())

    @property
    def state(self) -> list[Tensor]:
        """The running means of gradients and of their squares, and the number of steps."""
        return [*self._first, *self._second, self._steps]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Move the weights by the running means of their gradients."""
        self._steps.add_(1)
        pulls = torch._foreach_mul(self.parameters, self._weight_decay)
        torch._foreach_add_(pulls, list(gradients))
        torch._foreach_mul_(self._first, self._momentum)
        torch._foreach_add_(self._first, torch._foreach_mul(pulls, 1 - self._momentum))
        torch._foreach_mul_(self._second, _DECAY)
        torch._foreach_addcmul_(self._second, pulls, pulls, 1 - _DECAY)
        scales = torch._foreach_sqrt(self._second)
        torch._foreach_div_(scales, (1 - _DECAY**self._steps).sqrt())
        torch._foreach_add_(scales, _EPSILON)
        moves = torch._foreach_mul(self._first, self.lr / (1 - self._momentum**self._steps))
        torch._foreach_div_(moves, scales)
        if self.is_masked:
            torch._foreach_mul_(moves, self._masks)
        torch._foreach_sub_(self.parameters, moves)
