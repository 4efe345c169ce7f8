"""What every network must do, asked of a narrow one of each, and of networks of a user's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unlearning.models import CNN, NETWORKS, Network, ResNet18
from unlearning.testing import NETWORK_CHECKS, name_of

OWN: dict[str, dict[str, Any]] = {
    "a transformer with dropout": {"import": "ViT", "args": {"size": 28}},
    "shared, frozen, turned and double weights": {"import": "Odd"},
}


@pytest.mark.parametrize("check", NETWORK_CHECKS, ids=name_of)
@pytest.mark.parametrize(
    "network", [CNN(width=4), ResNet18(width=4), CNN(width=4, normalise="none", resize=20)], ids=str
)
def test_a_network_keeps_the_contract(check: Callable[[Network], None], network: Network) -> None:
    check(network)


@pytest.mark.parametrize("check", NETWORK_CHECKS, ids=name_of)
@pytest.mark.parametrize("name", OWN)
def test_a_network_by_import_keeps_the_contract(
    check: Callable[[Network], None], name: str, write_module: Callable[[], tuple[str, Path]]
) -> None:
    module, folder = write_module()
    options = OWN[name]
    check(NETWORKS.validate({**options, "import": f"{module}:{options['import']}", "folder": str(folder)}))
