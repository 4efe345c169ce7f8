"""Code of a user's own that a study names as ``package.module:attribute``: loading it, and what identifies it."""

import importlib
import inspect
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Final

from unlearning.errors import UnlearningError

_READ: Final = "__lethe_source_sha256__"
"""Where a module keeps the hash of its source as it was when it was first asked for."""


class ImportedError(UnlearningError, ValueError):
    """Code that a study names and that cannot be imported; the message says what, and where it failed."""


def load(spec: str) -> object:
    """Return the attribute of a module.

    Args:
        spec: ``package.module:attribute``; the attribute may be dotted.

    Raises:
        ImportedError: the text is no such name, the module is not found or raises, or it has no such attribute.
    """
    found: object = _module(spec)
    for name in spec.partition(":")[2].split("."):
        if not hasattr(found, name):
            there = ", ".join(one for one in vars(_module(spec)) if not one.startswith("_")) or "nothing"
            raise ImportedError(f"{spec}: the module {spec.partition(':')[0]} has no {name}; it has {there}")
        found = getattr(found, name)
    return found


def identity(spec: str) -> dict[str, str]:
    """Return what the code is beside its name.

    Returns:
        ``distribution`` and ``version`` where pip installed the module's file, else ``source_sha256``: the hash of the
        module's package, or of its file and of the files beside it that it imports. So code that is edited in place is
        other code; what lies elsewhere and is no distribution is not seen.

    Raises:
        ImportedError: as in `load`, or the module has no source file, or the source has changed since this process
            imported it.
    """
    installed = package(spec)
    if installed is not None:
        return {"distribution": installed.name, "version": installed.version}
    digest = sha256()
    for name, path in sorted(sources(spec).items()):
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    found = digest.hexdigest()
    if vars(_module(spec)).setdefault(_READ, found) != found:
        raise ImportedError(f"{spec}: its source has changed since it was imported; begin a new process")
    return {"source_sha256": found}


def package(spec: str) -> Distribution | None:
    """Return the distribution that installed the module's file; None for code that lies anywhere else.

    Raises:
        ImportedError: as in `identity`.
    """
    module = _module(spec)
    path, top = _source(module, spec), module.__name__.partition(".")[0]
    for name in packages_distributions().get(top, ()):
        found = distribution(name)
        if any(Path(str(file.locate())).resolve() == path for file in found.files or ()):
            return found
    return None


def sources(spec: str) -> dict[str, Path]:
    """Return the source files of code that no distribution installed, by their names below the top module's folder.

    Raises:
        ImportedError: as in `identity`.
    """
    module = _module(spec)
    _source(module, spec)
    top = importlib.import_module(module.__name__.partition(".")[0])
    if hasattr(top, "__path__"):
        folders = [Path(one).resolve() for one in top.__path__]
        paths = [path for folder in folders for path in folder.rglob("*.py")]
        return {path.relative_to(folders[0].parent).as_posix(): path for path in sorted(paths)}
    return {path.name: path for path in (_source(one, spec) for one in modules(spec))}


def modules(spec: str) -> list[ModuleType]:
    """Return the top module of code that no distribution installed, and the modules beside it that it imports.

    Raises:
        ImportedError: as in `identity`.
    """
    module = _module(spec)
    folder = _source(importlib.import_module(module.__name__.partition(".")[0]), spec).parent
    found: list[ModuleType] = []
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.append(one)
            waiting += [other for other in _imported_by(one) if _lies_in(other, folder)]
    return found


def _module(spec: str) -> ModuleType:
    name, colon, attribute = spec.partition(":")
    if not (colon and all(part.isidentifier() for part in (*name.split("."), *attribute.split(".")))):
        raise ImportedError(f"wanted package.module:attribute, got {spec!r}")
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a script may leave as it would from a command line
        raise ImportedError(f"{spec}: {name} cannot be imported: {type(error).__name__}: {_line(error)}") from error


def _source(module: ModuleType, spec: str) -> Path:
    try:
        path = inspect.getsourcefile(module)
    except TypeError:
        path = None
    if path is None:
        raise ImportedError(f"{spec}: wanted a module with a source file, got {module!r}")
    return Path(path).resolve()


def _imported_by(module: ModuleType) -> Iterator[ModuleType]:
    """Yield the modules that a module's names are, or come from."""
    for value in list(vars(module).values()):
        other = value if isinstance(value, ModuleType) else inspect.getmodule(value) if callable(value) else None
        if other is not None:
            yield other


def _lies_in(module: ModuleType, folder: Path) -> bool:
    path = getattr(module, "__file__", None)
    return path is not None and Path(path).resolve().parent == folder


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
