"""What of a plug-in travels to a cluster with a study: its packages, and the metadata that name its entry points.

The metadata travel as Python's own, so that a worker finds a plug-in in the same way as a machine that has it
installed. What the plug-in depends on does not travel: it is installed on the nodes, as torch is.
"""

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any, Final

from ray import cloudpickle

from lethe.execution.runtime_env import left_out
from unlearning.families import Package, PluginError

_OF_THE_INSTALLATION: Final = ("/RECORD", "/direct_url.json", "/INSTALLER", "/REQUESTED")
"""Metadata that say where a distribution came from and where it lies, which stays private."""


def with_plugins(runtime_env: dict[str, Any], packages: Iterable[Package]) -> dict[str, Any]:
    """Return a runtime environment with the code of distributions, as they are installed here.

    Args:
        runtime_env: that of Lethe's own code.

    Raises:
        PluginError: a distribution is not installed in a way that can be sent; the message says why.
    """
    folders = [folder for package in packages for folder in _folders(distribution(package.name))]
    hidden = {line for folder in folders for line in _hidden(folder, folder)}
    return runtime_env | {
        "py_modules": [*runtime_env["py_modules"], *map(str, folders)],
        "excludes": sorted({*runtime_env["excludes"], *hidden, *(_OF_THE_INSTALLATION if folders else ())}),
    }


def send_by_value(parts: Iterable[object]) -> None:
    """Send classes and functions that no distribution provides, such as those of a script's own module, by value.

    Those of ``__main__`` always are.
    """
    for name in {one.__module__.partition(".")[0] for one in parts} - {"__main__"}:
        cloudpickle.register_pickle_by_value(sys.modules[name])


def _folders(installed: Distribution) -> list[Path]:
    """Return the folders of a distribution's packages, and that of its metadata."""
    title = f"the plug-in {installed.name} {installed.version} cannot be sent to a cluster"
    metadata = [Path(str(file.locate())).parent for file in installed.files or () if _is_metadata(file.parts)]
    if not metadata:
        raise PluginError(f"{title}: wanted one that pip installed, got no RECORD with METADATA in it")
    return [*(_package(name, installed, title) for name in _top_level(installed)), metadata[0]]


def _is_metadata(parts: Sequence[str]) -> bool:
    return len(parts) == 2 and parts[0].endswith(".dist-info") and parts[1] == "METADATA"


def _top_level(installed: Distribution) -> list[str]:
    """Return the names that a distribution can be imported by: those of its files, and of its entry points."""
    files = {file.parts[0] for file in installed.files or () if file.name == "__init__.py" and len(file.parts) == 2}
    entries = {entry.module.partition(".")[0] for entry in installed.entry_points if entry.group.startswith("lethe.")}
    return sorted(files | entries)


def _package(name: str, installed: Distribution, title: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None or Path(found.origin).name != "__init__.py":
        raise PluginError(f"{title}: wanted {name} as a package, a folder with an __init__.py, got no such folder")
    return Path(found.origin).parent


def _hidden(folder: Path, root: Path) -> Iterator[str]:
    """Name what does not travel, as lines of a ``.gitignore`` of the root: hidden files, links, and bytecode."""
    for path in folder.iterdir():
        if path.is_symlink() or path.name.startswith(".") or path.name == "__pycache__":
            yield left_out(path, root)
        elif path.is_dir():
            yield from _hidden(path, root)
