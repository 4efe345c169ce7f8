"""What a method may require beside the original, by name: tensors that are made once and shared by all of its trials.

A requirement belongs to an original and a forget set. A method names it (`Method.requires`); whoever runs the method
provides the tensors, and `REQUIREMENTS` converts them for the method.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor

from unlearning.adversarial import ADVERSARIAL_VERSION, Adversarial
from unlearning.earlier_weights import EARLIER_WEIGHTS_VERSION, read_weights
from unlearning.fisher import FISHER_VERSION
from unlearning.saliency import SALIENCY_VERSION, Saliency


@dataclass(frozen=True)
class Requirement:
    """What a name in `Method.requires` stands for.

    Attributes:
        meaning: one phrase for people.
        version: of the code that makes the tensors.
        read: from tensors by name, on the model's device, to what a method finds under the name.
        by_parameter: whether there is one tensor a parameter, by its name; then they come in the network's order.
    """

    meaning: str
    version: int
    read: Callable[[Mapping[str, Tensor]], Any]
    by_parameter: bool = True


REQUIREMENTS: Final[dict[str, Requirement]] = {
    "saliency": Requirement("saliency scores of the original on D_f", SALIENCY_VERSION, Saliency),
    "fisher_forget": Requirement("diagonal Fisher information of the original on D_f", FISHER_VERSION, dict),
    "fisher_train": Requirement("diagonal Fisher information of the original on all of train", FISHER_VERSION, dict),
    "adversarial": Requirement(
        "adversarial images of the original beside those of D_f",
        ADVERSARIAL_VERSION,
        Adversarial.read,
        by_parameter=False,
    ),
    "earlier_weights": Requirement(
        "weights of the original before the last parts of its training",
        EARLIER_WEIGHTS_VERSION,
        read_weights,
        by_parameter=False,
    ),
}
