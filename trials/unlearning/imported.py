"""Code of a user's own that a study names as ``package.module:attribute``: finding, importing and identifying it.

It comes with a distribution, or from files that no distribution brings, such as those beside the study's file. These
files travel as text inside the options that name them (`unlearning.source_files`), so that workers import what was read
here and look nothing up.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.machinery import PathFinder
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from unlearning.errors import InputError
from unlearning.families import Package
from unlearning.source_files import Sources, folder_of, module_of, provided

_READ: Final[dict[Path, str]] = {}
"""The digests of the files by which this process imported code of a user's, as they were when they were first read."""


def _is_importable(name: str) -> str:
    module, colon, attribute = name.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise ValueError(f"wanted a module and a name, as in mypkg.nets:build, got {name!r}")
    if module.partition(".")[0] == "__main__":
        raise ValueError("wanted a module that other processes can import, got __main__, the program that runs")
    return name


ImportName = Annotated[str, AfterValidator(_is_importable)]
"""An option that names a class or function as ``package.module:attribute``; the attribute may be dotted."""


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

    @property
    def files(self) -> Mapping[str, bytes]:
        """The Python files that no distribution brings, by their path from the folder in which they lie."""
        return {path: self.sources.read(path) for path in self.sources.files} if self.sources else {}


def locate(name: str, folder: Path | None) -> tuple[Callable[..., Any], Origin]:
    """Import what a name stands for.

    Args:
        name: an `ImportName`.
        folder: where the module may lie beside what is installed; it is put at the end of ``sys.path`` then.

    Raises:
        InputError: there is no such module or attribute, importing it fails, it cannot be called, it or a module beside
            it is another one of the same name, or its files have changed since this process read them.
    """
    module_name, _, attribute = name.partition(":")
    module = _module(module_name, folder)
    found = _attribute(module, attribute)
    package = _package(module)
    if package is not None:
        return found, Origin(package, None)
    sources = Sources.of(module, _elsewhere())
    for path in sources.files:
        _check_file(folder_of(module), path, sources.read(path))
    return found, Origin(None, sources)


def load(name: str, origin: Origin) -> Callable[..., Any]:
    """Import what a name stands for, in whichever process; files that no distribution brings are those of the origin.

    Raises:
        InputError: this process has imported another module of that name.
    """
    module_name, _, attribute = name.partition(":")
    if origin.sources is None:
        return _attribute(importlib.import_module(module_name), attribute)
    if module_name.partition(".")[0] not in sys.modules:
        origin.sources.provide()
    module = importlib.import_module(module_name)
    if _digest(module) != _sha256(origin.sources.read(origin.sources.path_of(module_name))):
        raise InputError(
            f"there are two modules {module_name}: the study's, and {_place_of(module)}, which is imported"
        )
    return _attribute(module, attribute)


def asked_for(call: Callable[..., Any], args: Mapping[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the arguments on offer that a signature has and nobody else passes."""
    try:
        parameters = inspect.signature(call).parameters
    except ValueError:
        return {}  # written in C, without a signature
    return {name: value for name, value in offered.items() if name in parameters and name not in args}


def misfit(call: Callable[..., Any], /, *args: Any, **named: Any) -> str | None:
    """Return why a callable does not take these arguments; None where it does, or has no signature to ask."""
    try:
        signature = inspect.signature(call)
    except ValueError:
        return None
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        return f"{error}; it takes {signature}"
    return None


def _attribute(module: ModuleType, path: str) -> Callable[..., Any]:
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
    except (Exception, SystemExit) as error:  # a script may leave as it would from a command line
        raise InputError(f"{name} cannot be imported: {type(error).__name__}: {_line(error)}") from error
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
    file = _place_of(module)
    for name in _distributions().get(module.__name__.partition(".")[0], ()):
        installed = distribution(name)
        files = (Path(str(one.locate())) for one in installed.files or () if file and one.name == file.name)
        if any(one.resolve() == file for one in files):
            return Package(installed.name, installed.version)
    return None


def _check_file(folder: Path, path: str, content: bytes) -> None:
    """Check that a file of this content is what this process imported under its name, or will import."""
    file, name = (folder / path).resolve(), module_of(path)
    if _READ.setdefault(file, _sha256(content)) != _sha256(content):
        raise InputError(f"{file} has changed since this process imported it: start it anew")
    found = _place_of(sys.modules[name]) if name in sys.modules else None
    if found not in (file, None):
        raise InputError(f"there are two modules {name}: {file}, and {found}, which is imported; rename the first")


def _digest(module: ModuleType) -> str | None:
    """Return the digest of the file that a module was made from; None where no study of this process named it."""
    content, place = provided(module), _place_of(module)
    if content is not None:
        return _sha256(content)
    return _READ.get(place) if place else None


def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _elsewhere() -> frozenset[str]:
    """Return the top-level names that Python finds before what lies beside a study: its own, and distributions'."""
    return frozenset({*sys.stdlib_module_names, *_distributions()})


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
