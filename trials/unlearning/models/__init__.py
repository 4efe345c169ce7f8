"""Networks for small images, by name."""

from typing import Annotated

from pydantic import Field

from unlearning.models._base import Network, Normalise
from unlearning.models._cnn import CNN
from unlearning.models._resnet18 import ResNet18

NETWORKS: dict[str, type[Network]] = {"resnet18": ResNet18, "cnn": CNN}

AnyNetwork = Annotated[ResNet18 | CNN, Field(discriminator="name")]

__all__ = ["CNN", "NETWORKS", "AnyNetwork", "Network", "Normalise", "ResNet18"]
