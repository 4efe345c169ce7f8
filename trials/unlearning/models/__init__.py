"""Networks for small images, by name."""

from typing import Annotated

from unlearning.families import OptionsFamily
from unlearning.models._base import Network, Normalise
from unlearning.models._cnn import CNN
from unlearning.models._resnet18 import ResNet18

NETWORKS: OptionsFamily[Network] = OptionsFamily(
    "network", "lethe.networks", {"resnet18": ResNet18, "cnn": CNN}, base=Network
)

AnyNetwork = Annotated[Network, NETWORKS]
"""A network that options name."""

__all__ = ["CNN", "NETWORKS", "AnyNetwork", "Network", "Normalise", "ResNet18"]
