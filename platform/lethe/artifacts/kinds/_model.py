"""The contract of an artifact that is a model: weights, and logits on all three splits."""

from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn

from lethe.artifacts._recipe import ArtifactRecipe, Workshop
from lethe.study import Scenario, Subset
from unlearning.data import ImageData
from unlearning.metrics import Predictions, accuracy, unlearning_accuracy
from unlearning.seeds import derive
from unlearning.trial import Logits

MODEL_FILES: Final = frozenset({"weights", "logits"})


class Model(ArtifactRecipe):
    """A model of a scenario's network.

    Attributes:
        scenario: whose network and data they are.
        seed: the training seed that the draws of whatever is done to the model follow from.
    """

    files = MODEL_FILES

    scenario: Scenario
    seed: int

    def fresh_network(self, workshop: Workshop, seed: int = 0) -> nn.Sequential:
        """Build the network on the workshop's device, with weights drawn from a seed."""
        scenario = self.scenario
        model = scenario.network.build(scenario.channels, scenario.classes, derive(seed, "weights"))
        return model.to(workshop.device)

    def trained_network(self, workshop: Workshop) -> nn.Sequential:
        """Build the network on the workshop's device with the model's weights, which the store has."""
        model = self.fresh_network(workshop)
        model.load_state_dict(workshop.load(self)["weights"])
        return model


def accuracies(data: ImageData, logits: Logits, unseen: Subset) -> dict[str, float]:
    """Measure a model: VA and TA, and UA on the train images that it should not know, where there are any."""
    measured = {
        "va": accuracy(Predictions(logits["val"], data.val.labels_N)),
        "ta": accuracy(Predictions(logits["test"], data.test.labels_N)),
    }
    if len(unseen):
        measured["ua"] = unlearning_accuracy(Predictions(logits["train"], data.train.labels_N).at(unseen.indices_M))
    return measured


def weights_of(network: nn.Module) -> Mapping[str, Tensor]:
    """Return a network's state dict on the CPU."""
    return {name: value.detach().cpu() for name, value in network.state_dict().items()}
