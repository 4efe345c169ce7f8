"""Which code, libraries and machine made a number."""

import platform
import socket
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch


@cache
def code_version() -> str:
    """Name the commit that this code stands at (``+`` where it was changed since), or the package's version."""
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty=+",
        "--abbrev=12",
        "--exclude=*",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return version("lethe")
    return done.stdout.strip()


@cache
def library_versions() -> dict[str, str]:
    """Give the versions that a row records, by column."""
    return {
        "lethe_version": version("lethe"),
        "code_version": code_version(),
        "python_version": platform.python_version(),
        "torch_version": torch.__version__,
        "ray_version": version("ray"),
        "optuna_version": version("optuna"),
    }


def node_name() -> str:
    """Name the machine."""
    return socket.gethostname()


@cache
def device_name(kind: str) -> str:
    """Name the hardware behind a torch device kind, such as ``cuda: NVIDIA H200``."""
    if kind == "cuda":
        return f"cuda: {torch.cuda.get_device_name()}"
    return f"{kind}: {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
