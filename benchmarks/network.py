"""How a command line names a network."""

from unlearning.models import NETWORKS, Network


def network_named(text: str) -> Network:
    """Return the network of a name and a width, such as ``resnet18:64``."""
    name, _, width = text.partition(":")
    if name not in NETWORKS or not width.isdigit():
        raise SystemExit(f"network: wanted NAME:WIDTH, with {' or '.join(NETWORKS)} as the name, got {text!r}")
    return NETWORKS[name].model_validate({"width": int(width)})
