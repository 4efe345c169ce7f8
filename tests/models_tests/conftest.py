"""Modules with networks of a user's own, in folders as they lie beside a study."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

NETWORKS = (Path(__file__).parents[1] / "networks" / "own_networks.py").read_text()

Write = Callable[..., tuple[str, Path]]

_NUMBERS = count()


@pytest.fixture
def write_module(tmp_path: Path) -> Iterator[Write]:
    """Writes a module under a name that no other test has; what is imported is forgotten afterwards."""
    path, modules = list(sys.path), set(sys.modules)

    def write(text: str = NETWORKS) -> tuple[str, Path]:
        name = f"own_networks_{next(_NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(text)
        return name, tmp_path

    yield write
    sys.path[:] = path
    for name in sys.modules.keys() - modules:
        if name.startswith("own_networks_"):
            del sys.modules[name]
