"""What every network must do, asked of a narrow one of each."""

from collections.abc import Callable

import pytest

from unlearning.models import NETWORKS, Network
from unlearning.testing import NETWORK_CHECKS, name_of


@pytest.mark.parametrize("check", NETWORK_CHECKS, ids=name_of)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_keeps_the_contract(check: Callable[[Network], None], name: str) -> None:
    check(NETWORKS[name].model_validate({"name": name, "width": 4}))
