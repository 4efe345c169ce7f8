"""Adam (Kingma and Ba, ICLR 2015) and AdamW (Loshchilov and Hutter, ICLR 2019) on the weights that a mask leaves."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from unlearning.engine._optimizer import Optimizer


class Adam(Optimizer):
    """The arithmetic of ``torch.optim.Adam`` or ``AdamW``; a frozen weight stays bit-identical.

    Args:
        second_decay: beta2, of the running mean of squares; beta1 is the momentum of a run.
        epsilon: added to the root of that mean.
        decoupled: whether weight decay shrinks the weights themselves, as in AdamW, or enters their gradients.
    """

    state_name: ClassVar[str] = "moment"

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        second_decay: float = 0.999,
        epsilon: float = 1e-8,
        decoupled: bool = False,
    ) -> None:
        super().__init__(parameters)
        self._second_decay, self._epsilon, self._decoupled = second_decay, epsilon, decoupled
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
        decays, pulls = list(torch._foreach_mul(self.parameters, self._weight_decay)), list(gradients)
        if not self._decoupled:
            torch._foreach_add_(decays, pulls)
            pulls = decays
        torch._foreach_mul_(self._first, self._momentum)
        torch._foreach_add_(self._first, torch._foreach_mul(pulls, 1 - self._momentum))
        torch._foreach_mul_(self._second, self._second_decay)
        torch._foreach_addcmul_(self._second, pulls, pulls, 1 - self._second_decay)
        scales = torch._foreach_sqrt(self._second)
        torch._foreach_div_(scales, (1 - self._second_decay**self._steps).sqrt())
        torch._foreach_add_(scales, self._epsilon)
        moves = torch._foreach_mul(self._first, self.lr / (1 - self._momentum**self._steps))
        torch._foreach_div_(moves, scales)
        if self._decoupled:
            torch._foreach_add_(moves, torch._foreach_mul(decays, self.lr))
        if self.is_masked:
            torch._foreach_mul_(moves, self._masks)
        torch._foreach_sub_(self.parameters, moves)
