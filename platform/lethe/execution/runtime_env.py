"""What travels to a cluster's workers: the two packages as they are here, so that no node needs them installed."""

import json
import os
import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR

import lethe
import unlearning
from lethe.versions import CODE_VERSION_VARIABLE, code_version

_CODE: Final = (".py", ".typed", ".css", ".js", ".j2")
"""The files of the two packages that are part of what is distributed."""

_NOTES: Final = ("METADATA", "WHEEL", "entry_points.txt")
"""Those beside them that tell the version of what is installed, and not from where."""


def runtime_env() -> dict[str, Any]:
    """Give the runtime environment by which Ray sends the code; an empty one where it was sent already, with a job."""
    if "py_modules" in _of_job():
        return {}
    folders = [*_packages(), _metadata()]
    return {
        "py_modules": [str(folder) for folder in folders],
        "excludes": sorted({line for folder in folders for line in _strangers(folder, folder)}),
        "env_vars": {CODE_VERSION_VARIABLE: code_version()},
    }


def _of_job() -> dict[str, Any]:
    """Give the runtime environment of the submitted job that this process is the driver of; empty without one."""
    runtime_env: dict[str, Any] = json.loads(os.environ.get(RAY_JOB_CONFIG_JSON_ENV_VAR, "{}")).get("runtime_env") or {}
    return runtime_env


def _packages() -> list[Path]:
    return [Path(package.__path__[0]) for package in (lethe, unlearning)]


def _metadata() -> Path:
    """Name the folder that tells the version of what is installed."""
    installed = distribution("lethe")
    return Path(str(installed.locate_file(f"lethe-{installed.version}.dist-info")))


def _strangers(folder: Path, root: Path) -> Iterator[str]:
    """Name, as lines of a ``.gitignore`` of the root, what lies in a package and is no part of what is distributed."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name != "__pycache__" and not path.name.startswith("."):
            yield from _strangers(path, root)
        elif path.is_symlink() or path.is_dir() or not (path.suffix in _CODE or path.name in _NOTES):
            yield "/" + re.sub(r"([^\w/.-])", r"\\\1", path.relative_to(root).as_posix())
