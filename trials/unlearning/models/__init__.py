"""Networks by name, and those of the user's own by import."""

from typing import Annotated

from unlearning.families import OptionsFamily, Package
from unlearning.models._base import Network, Statistics
from unlearning.models._cnn import CNN
from unlearning.models._external import ExternalNetwork
from unlearning.models._fit import check_fit
from unlearning.models._imported import Imported
from unlearning.models._named import Timm, TorchVision
from unlearning.models._resnet18 import ResNet18
from unlearning.models._stages import Logits, Normalise

NETWORKS: OptionsFamily[Network] = OptionsFamily(
    "network",
    "lethe.networks",
    {"resnet18": ResNet18, "cnn": CNN, "import": Imported, "timm": Timm, "torchvision": TorchVision},
    base=Network,
    by_option=("import",),
)

AnyNetwork = Annotated[Network, NETWORKS]
"""A network that options name."""


def package_of(network: Network) -> Package | None:
    """Return the distribution that brings a network; None where a program added it or it comes from a user's files."""
    return network.package if isinstance(network, ExternalNetwork) else NETWORKS.package_of(type(network))


__all__ = [
    "CNN",
    "NETWORKS",
    "AnyNetwork",
    "ExternalNetwork",
    "Imported",
    "Logits",
    "Network",
    "Normalise",
    "ResNet18",
    "Statistics",
    "Timm",
    "TorchVision",
    "check_fit",
    "package_of",
]
