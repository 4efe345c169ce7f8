"""Which optimiser moves the weights, with what a step that a GPU has recorded holds fixed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from unlearning.engine._adam import Adam
from unlearning.engine._optimizer import Optimizer
from unlearning.engine._sgd import SGD

OptimizerName = Literal["sgd", "adam"]


@dataclass(frozen=True)
class OptimizerKind:
    """An optimiser by its name and the options that are no tensors; the defaults are torch's.

    Attributes:
        nesterov: of SGD.
        second_decay: beta2 of Adam.
        epsilon: of Adam.
        decoupled: whether Adam's weight decay is that of AdamW.
    """

    name: OptimizerName = "sgd"
    nesterov: bool = False
    second_decay: float = 0.999
    epsilon: float = 1e-8
    decoupled: bool = False

    def make(self, parameters: Sequence[Tensor]) -> Optimizer:
        """Make an optimiser of this kind."""
        if self.name == "sgd":
            return SGD(parameters, nesterov=self.nesterov)
        return Adam(parameters, second_decay=self.second_decay, epsilon=self.epsilon, decoupled=self.decoupled)
