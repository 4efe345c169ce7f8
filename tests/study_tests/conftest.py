"""The small study, expanded once."""

import pytest
from small_scenarios import cells_of

from lethe.study import MethodSearch


@pytest.fixture(scope="session")
def method_searches() -> list[MethodSearch]:
    return cells_of()
