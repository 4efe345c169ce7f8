"""The kinds of artifacts, by name: what each holds and how it is made."""

from typing import Final

from lethe.artifacts._recipe import ArtifactRecipe
from lethe.artifacts.kinds._adversarial import AdversarialImages
from lethe.artifacts.kinds._earlier_weights import EarlierWeights
from lethe.artifacts.kinds._fisher import FisherInformation
from lethe.artifacts.kinds._given_model import GivenModel, GivenWeights, given
from lethe.artifacts.kinds._model import Model
from lethe.artifacts.kinds._requirements import REQUIRED, read_requirement
from lethe.artifacts.kinds._saliency import SaliencyScores, saliency
from lethe.artifacts.kinds._trained_model import TrainedModel, dosed, oracle, original
from lethe.artifacts.kinds._unlearned_model import UnlearnedModel, after_requests, at_once, task_of

KINDS: Final[dict[str, type[ArtifactRecipe]]] = {
    "trained_model": TrainedModel,
    "saliency": SaliencyScores,
    "fisher_information": FisherInformation,
    "adversarial_images": AdversarialImages,
    "earlier_weights": EarlierWeights,
    "unlearned_model": UnlearnedModel,
    "given_weights": GivenWeights,
    "given_model": GivenModel,
}

__all__ = [
    "KINDS",
    "REQUIRED",
    "AdversarialImages",
    "EarlierWeights",
    "FisherInformation",
    "GivenModel",
    "GivenWeights",
    "Model",
    "SaliencyScores",
    "TrainedModel",
    "UnlearnedModel",
    "after_requests",
    "at_once",
    "dosed",
    "given",
    "oracle",
    "original",
    "read_requirement",
    "saliency",
    "task_of",
]
