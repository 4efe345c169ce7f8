"""Adam on the weights that a mask leaves trainable (Kingma and Ba, ICLR 2015)."""

from collections.abc import Sequence

import torch
from torch import Tensor

_DECAY = 0.999
_EPSILON = 1e-8


class Adam:
    """The arithmetic of ``torch.optim.Adam`` with beta2 0.999, for one run after another.

    All that changes is in tensors that keep their memory, as in `SGD`. A frozen weight stays bit-identical.

    Attributes:
        lr: learning rate, a tensor of one number; filled before each step.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self._first, self._second = ([torch.zeros_like(one) for one in self.parameters] for _ in range(2))
        new = self.parameters[0].new_zeros
        self.lr, self._momentum, self._weight_decay, self._steps = (new(()) for _ in range(4))
        self.is_masked = False
        self._masks: list[Tensor] = []

    @property
    def state(self) -> list[Tensor]:
        """What a step changes beside the weights."""
        return [*self._first, *self._second, self._steps]

    def begin(self, *, momentum: float, weight_decay: float, masks: Sequence[Tensor] | None = None) -> None:
        """Begin a run.

        Args:
            momentum: Adam's beta1.
            weight_decay: added to the gradient, as ``torch.optim.Adam`` does.
            masks: as `SGD.begin`.
        """
        torch._foreach_zero_(self.state)
        self._momentum.fill_(momentum)
        self._weight_decay.fill_(weight_decay)
        self.is_masked = masks is not None
        if masks is not None:
            self._masks = self._masks or [torch.empty_like(parameter) for parameter in self.parameters]
            for mine, mask in zip(self._masks, masks, strict=True):
                mine.copy_(mask)

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
