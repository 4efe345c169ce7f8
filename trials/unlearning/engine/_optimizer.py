"""What the optimisers share: numbers and masks in tensors that keep their memory, and how a run begins."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor


class Optimizer(ABC):
    """Moves the weights that a mask leaves trainable, for one run after another.

    Rates, state and masks are tensors that keep their memory: a step that a GPU has recorded (`Replays`) serves every
    run. They are those of `begin`, before which there is no run.

    Attributes:
        lr: learning rate, a tensor of one number; filled before each step.
        is_masked: whether the run has masks.
        state_name: what checkpoints call a tensor of the state.
    """

    state_name: ClassVar[str]

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.lr, self._momentum, self._weight_decay = (self.parameters[0].new_zeros(()) for _ in range(3))
        self.is_masked = False
        self._masks: list[Tensor] = []

    @property
    @abstractmethod
    def state(self) -> list[Tensor]:
        """What a step changes beside the weights."""

    @abstractmethod
    def step(self, gradients: Sequence[Tensor]) -> None:
        """Move the weights against their gradients, one tensor a parameter."""

    def begin(self, *, momentum: float, weight_decay: float, masks: Sequence[Tensor] | None = None) -> None:
        """Begin a run at rest.

        Args:
            momentum: of SGD; Adam's beta1.
            weight_decay: times the weight, added to its gradient, or to its move where the decay is decoupled.
            masks: one tensor a parameter, of its shape, nonzero = trainable and zero = frozen; None: all are trainable.
        """
        torch._foreach_zero_(self.state)
        self._momentum.fill_(momentum)
        self._weight_decay.fill_(weight_decay)
        self.is_masked = masks is not None
        if masks is not None:
            self._masks = self._masks or [torch.empty_like(parameter) for parameter in self.parameters]
            for mine, mask in zip(self._masks, masks, strict=True):
                mine.copy_(mask)
