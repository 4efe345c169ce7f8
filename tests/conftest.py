"""A study so small that its whole run takes seconds, and a way to run the command as a user does."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

torch.set_num_threads(1)  # networks this small lose time to a second thread, and see LOG.md

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": [{"source": "synthetic", "train": 160, "val": 80, "test": 80, "size": 12, "classes": 3}],
    "forget": [{"kind": "random", "fraction": 0.2}],
    "network": {"name": "cnn", "width": 4},
    "training": {"epochs": 3, "batch_size": 32, "lr": 0.1},
    "methods": [
        {
            "name": "salun",
            "epochs": 2,
            "batch_size": 32,
            "search": {
                "lr": {"low": 1.0e-3, "high": 1.0e-1, "log": True},
                "density": {"low": 0.1, "high": 0.9},
            },
        }
    ],
    "search": {"trials": 5, "window": 2},
    "seeds": {"tuning": [0], "reporting": [1, 2]},
}


@pytest.fixture
def write_study(tmp_path: Path) -> Callable[..., Path]:
    """Writes the tiny study, with other top-level options where they are given, and names its file."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(TINY | changes))
        return path

    return write


@pytest.fixture(scope="session")
def ray_environment() -> dict[str, str]:
    """A temporary folder and a token of their own for the Ray clusters that tests start."""
    folder = tempfile.mkdtemp(prefix="lr-")
    return {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}


@pytest.fixture
def lethe(ray_environment: dict[str, str]) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts the command in a process of its own, on Ray in the environment of the tests unless another is given."""

    def start(*arguments: object, environment: dict[str, str] = ray_environment) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", "from lethe.cli import main; main()", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
        )

    return start
