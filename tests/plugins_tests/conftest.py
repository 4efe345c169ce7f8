"""Python with the example package installed, as a user has a plug-in."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def environment(installed: Path) -> dict[str, str]:
    """An environment in which the example package is installed."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), *_source_roots()])}


@pytest.fixture
def python(environment: dict[str, str]) -> Iterator[Python]:
    """Runs Python where the example package is installed."""

    def run(*arguments: object, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-W", "error", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500, cwd=cwd)

    yield run


def _source_roots() -> list[str]:
    root = Path(__file__).parents[2]
    return [str(root / "platform"), str(root / "trials")]
