"""How a command line names a network."""

from unlearning.models import NETWORKS, Network


def network_named(text: str) -> Network:
    """Give the network of a name and a width, such as ``resnet18:64``."""
    name, _, width = text.partition(":")
    return NETWORKS[name].model_validate({"width": int(width)})
