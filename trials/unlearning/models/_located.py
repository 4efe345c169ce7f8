"""Finds a class or function by ``package.module:name``, and what brings it: a distribution, or files beside a study."""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from unlearning.errors import InputError
from unlearning.families import Package
from unlearning.models._sources import Sources

_READ: Final[dict[str, str]] = {}
"""The digest of the sources by which this process imported a module, by the module's name."""


@dataclass(frozen=True)
class Origin:
    """What brings a module.

    Attributes:
        package: its distribution; None: none does.
        sources: its files, where no distribution brings it.
    """

    package: Package | None
    sources: Sources | None

    @property
    def code(self) -> str:
        """What identifies the code: the distribution with its version, or the digest of the files."""
        return str(self.package) if self.package else f"sources {self.sources.digest if self.sources else ''}"


def locate(name: str, folder: Path | None) -> tuple[Callable[..., Any], Origin]:
    """Import what a name such as ``package.module:build`` stands for.

    Args:
        name: module and attribute.
        folder: where the module may lie beside what is installed; it is put at the end of ``sys.path`` then.

    Raises:
        InputError: there is no such module or attribute, importing it fails, it cannot be called, or the module's files
            have changed since this process imported it.
    """
    module_name, _, attribute = name.partition(":")
    module = _module(module_name, folder)
    found = attribute_of(module, attribute)
    package = _package(module)
    if package is not None:
        return found, Origin(package, None)
    sources = Sources.of(module, _distributions())
    if _READ.setdefault(module_name, sources.digest) != sources.digest:
        raise InputError(f"the files of {module_name} have changed since this process imported it: start it anew")
    return found, Origin(None, sources)


def attribute_of(module: ModuleType, path: str) -> Callable[..., Any]:
    """Return a callable of a module by its name, dotted where it is an attribute of a class.

    Raises:
        InputError: there is none.
    """
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            public = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
            raise InputError(f"{module.__name__} has no {path}; it has {', '.join(public) or 'nothing to call'}")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"wanted a class or a function, got {module.__name__}:{path}, a {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def asked_for(build: Callable[..., Any], args: Mapping[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the arguments on offer that a signature has and nobody else passes."""
    try:
        parameters = inspect.signature(build).parameters
    except ValueError:
        return {}  # written in C, without a signature
    return {name: value for name, value in offered.items() if name in parameters and name not in args}


def misfit(build: Callable[..., Any], args: Mapping[str, Any]) -> str | None:
    """Return why a callable does not take these arguments; None where it does, or has no signature to ask."""
    try:
        signature = inspect.signature(build)
    except ValueError:
        return None
    try:
        signature.bind(**args)
    except TypeError as error:
        return f"{error}; it takes {signature}"
    return None


def _module(name: str, folder: Path | None) -> ModuleType:
    top = name.partition(".")[0]
    importlib.invalidate_caches()
    beside = _place(folder.absolute(), top) if folder is not None else None
    if folder is not None and beside is not None and str(folder.absolute()) not in sys.path:
        sys.path.append(str(folder.absolute()))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            where = f"; it is neither installed nor in {folder.absolute()}" if folder is not None else ""
            raise InputError(f"there is no module {error.name}{where}") from error
        raise InputError(f"{name} cannot be imported: {error}") from error
    except Exception as error:
        raise InputError(f"{name} cannot be imported: {_line(error)}") from error
    if beside is not None and beside != (found := _place_of(sys.modules[top])):
        raise InputError(f"there are two modules {top}: {beside}, and {found}, which is imported; rename the first")
    return module


def _place(folder: Path, top: str) -> Path | None:
    """Return the file or folder of a top-level module that lies in a folder."""
    spec = PathFinder.find_spec(top, [str(folder)])
    if spec is None:
        return None
    found = spec.origin or next(iter(spec.submodule_search_locations or ()), None)
    return Path(found).resolve() if found else None


def _place_of(module: ModuleType) -> Path | None:
    found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    return Path(found).resolve() if found else None


def _package(module: ModuleType) -> Package | None:
    """Return the distribution that brings a module's file."""
    file = Path(module.__file__).resolve() if module.__file__ else None
    for name in _distributions().get(module.__name__.partition(".")[0], ()):
        installed = distribution(name)
        files = (Path(str(one.locate())) for one in installed.files or () if file and one.name == file.name)
        if any(one.resolve() == file for one in files):
            return Package(installed.name, installed.version)
    return None


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
