"""The recipe of each name in `unlearning.requirements`: what methods may need beside the model that they begin with."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn

from lethe.artifacts._recipe import ArtifactRecipe, Tensors
from lethe.artifacts.kinds._adversarial import AdversarialImages
from lethe.artifacts.kinds._earlier_weights import EarlierWeights
from lethe.artifacts.kinds._fisher import FisherInformation
from lethe.artifacts.kinds._model import Model
from lethe.artifacts.kinds._saliency import SaliencyScores
from lethe.artifacts.kinds._trained_model import TrainedModel
from lethe.errors import InputError
from lethe.study import Partition
from unlearning.requirements import REQUIREMENTS


def _earlier_weights(model: Model, parts: Partition) -> EarlierWeights:
    if not isinstance(model, TrainedModel):
        raise InputError(
            "weights of before the end of the training are wanted, and only a model that was trained here has them; "
            f"this one is of kind {model.kind}"
        )
    return EarlierWeights(model)


REQUIRED: Final[dict[str, Callable[[Model, Partition], ArtifactRecipe]]] = {
    "saliency": lambda model, parts: SaliencyScores(model, parts.forgotten),
    "fisher_forget": lambda model, parts: FisherInformation(model, parts.forgotten),
    "fisher_train": lambda model, parts: FisherInformation(model, parts.everything),
    "adversarial": lambda model, parts: AdversarialImages(model, parts.forgotten),
    "earlier_weights": _earlier_weights,
}
"""The recipe of each requirement, for the model that a method begins with and the parts of train.

Raises:
    InputError: (`earlier_weights`) the model was not trained here.
"""


def read_requirement(name: str, files: Mapping[str, Tensors], model: nn.Module, device: torch.device) -> Any:
    """Return what a method finds under the name of a requirement.

    Args:
        files: of the artifact.
        model: whose parameters the tensors belong to.
        device: where to put them.
    """
    [tensors] = files.values()
    requirement = REQUIREMENTS[name]
    order = [part for part, _ in model.named_parameters()] if requirement.by_parameter else list(tensors)
    return requirement.read({part: tensors[part].to(device) for part in order})
