"""What travels to a cluster's workers: the two packages as they are here, so that no node needs them installed."""

import os
import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import unlearning
from lethe.versions import CODE_VERSION_VARIABLE, code_version

_CODE: Final = (".py", ".typed", ".css", ".js", ".j2")
"""The files of the two packages that are part of what is distributed."""

_NOTES: Final = ("METADATA", "WHEEL", "entry_points.txt")
"""Those beside them that name the version of what is installed, and not where it came from."""


def runtime_env() -> dict[str, Any]:
    """Return the runtime environment by which Ray sends the code."""
    folders = [*_packages(), _metadata()]
    return {
        "py_modules": [str(folder) for folder in folders],
        "excludes": sorted({line for folder in folders for line in _strangers(folder, folder)}),
        "env_vars": {CODE_VERSION_VARIABLE: code_version()},
    }


def has_travelled() -> bool:
    """Return whether this process itself runs code that was sent, as the driver of a submitted job does.

    Ray gives its workers what travelled with the job.
    """
    return CODE_VERSION_VARIABLE in os.environ


def _packages() -> list[Path]:
    return [Path(__file__).parents[1], Path(unlearning.__path__[0])]


def _metadata() -> Path:
    """Return the folder that names the version of what is installed."""
    installed = distribution("lethe")
    return Path(str(installed.locate_file(f"lethe-{installed.version}.dist-info")))


def _strangers(folder: Path, root: Path) -> Iterator[str]:
    """Name, as lines of a ``.gitignore`` of the root, what lies in a package and is no part of what is distributed."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name != "__pycache__" and not path.name.startswith("."):
            yield from _strangers(path, root)
        elif path.is_symlink() or path.is_dir() or not (path.suffix in _CODE or path.name in _NOTES):
            yield left_out(path, root)


def left_out(path: Path, root: Path) -> str:
    """Return the line of a root's ``.gitignore`` by which a file or folder in it does not travel."""
    return "/" + re.sub(r"([^\w/.-])", r"\\\1", path.relative_to(root).as_posix())
