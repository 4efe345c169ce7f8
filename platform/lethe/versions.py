"""Versions of the code and of the libraries that numbers depend on."""

import os
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

CODE_VERSION_VARIABLE = "LETHE_CODE_VERSION"
"""In the environment of code that was sent to a cluster: its version where it came from."""


@cache
def code_version() -> str:
    """Return the commit of this code (with ``+`` where it was changed since), or the package's version."""
    if sent := os.environ.get(CODE_VERSION_VARIABLE):
        return sent
    folder = str(Path(__file__).parent)
    command = ["git", "-C", folder, "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return version("lethe")
    return done.stdout.strip()


@cache
def installed(package: str) -> str:
    """Return a package's version; it is read from the disk once, which would be too slow for every row."""
    return version(package)
