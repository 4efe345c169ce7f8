"""The source files of modules that no distribution brings: what identifies them, and how they reach other processes.

They travel as text inside what is sent, so that a worker imports what was read here, even where it has no such files or
other ones.
"""

import ast
import hashlib
import importlib.util
import sys
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import ExecutionLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Final

from unlearning.errors import InputError

LIMIT_BYTES: Final = 8 << 20
"""Most bytes of sources that travel with a study; larger ones are for a package that is installed."""


@dataclass(frozen=True)
class Sources:
    """Python files below one folder.

    Attributes:
        files: by their path from the folder, as ``package/module.py``: their bytes, compressed.
        digest: SHA-256 of all paths and bytes: the first 20 hex digits.
    """

    files: dict[str, bytes]
    digest: str

    @classmethod
    def of(cls, module: ModuleType, installed: Container[str] = ()) -> "Sources":
        """Read the files of a module: its whole package, and what lies beside it and is imported there.

        Args:
            installed: top-level names that distributions bring, which are left out.

        Raises:
            InputError: it has no source file, or there are too many bytes of them.
        """
        if getattr(module, "__file__", None) is None or Path(str(module.__file__)).suffix != ".py":
            raise InputError(f"wanted a module with a source file, got {module.__name__} without one")
        top, folder = module.__name__.partition(".")[0], folder_of(module)
        read = dict(sorted(_closure(top, folder, installed)))
        size = sum(map(len, read.values()))
        if size > LIMIT_BYTES:
            raise InputError(
                f"wanted at most {LIMIT_BYTES:,} bytes of Python with {top} in {folder}, got {size:,}: install it as a "
                "package"
            )
        hashed = hashlib.sha256()
        for path, content in read.items():
            hashed.update(f"{path}\n{len(content)}\n".encode() + content)
        return cls({path: zlib.compress(content) for path, content in read.items()}, hashed.hexdigest()[:20])

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        return zlib.decompress(self.files[path])

    def path_of(self, module: str) -> str:
        """Return the path of a module's file."""
        return next(path for path in self.files if module_of(path) == module)

    def provide(self) -> None:
        """Let this process import the modules from these sources, unless it has imported them already."""
        if not any(isinstance(finder, _Finder) and finder.sources == self for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder(self))


def folder_of(module: ModuleType) -> Path:
    """Return the folder in which a module's top-level package, or its file, lies."""
    top = sys.modules[module.__name__.partition(".")[0]]
    place = next(iter(top.__path__)) if hasattr(top, "__path__") else str(top.__file__)
    return Path(place).resolve().parent


def module_of(path: str) -> str:
    """Return the name of the module that a file is, by its path from the folder."""
    return ".".join(PurePosixPath(path).with_suffix("").parts).removesuffix(".__init__")


def provided(module: ModuleType) -> bytes | None:
    """Return the file that an imported module was made from, where some sources provided it; else None."""
    loader = getattr(module, "__loader__", None)
    return loader.content if isinstance(loader, _Loader) else None


class _Finder(MetaPathFinder):
    """Finds the modules of some sources, before those that lie on the path."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._paths = {module_of(path): path for path in sources.files}
        self._namespaces = {
            ".".join(PurePosixPath(path).parts[:depth])
            for path in sources.files
            for depth in range(1, len(PurePosixPath(path).parts))
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module; None for those of others."""
        if fullname not in self._paths and fullname not in self._namespaces:
            return None
        loader = _Loader(self.sources, self._paths.get(fullname))
        return importlib.util.spec_from_loader(fullname, loader, is_package=loader.is_package(fullname))


class _Loader(ExecutionLoader):
    """Compiles a module from its sources; a folder without an ``__init__.py`` is an empty package."""

    def __init__(self, sources: Sources, file: str | None) -> None:
        self._sources, self._file = sources, file

    @property
    def content(self) -> bytes:
        """The file."""
        return self._sources.read(self._file) if self._file else b""

    def get_source(self, fullname: str) -> str:
        """Return the text."""
        return importlib.util.decode_source(self.content)

    def get_filename(self, fullname: str) -> str:
        """Return the file's path from the folder, for tracebacks."""
        return self._file or f"{fullname.replace('.', '/')}/__init__.py"

    def is_package(self, fullname: str) -> bool:
        """Return whether the module has modules of its own."""
        return self._file is None or self._file.endswith("__init__.py")


def _closure(name: str, folder: Path, installed: Container[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a top-level name, and of those beside it that they import, by their path from the folder."""
    wanted, seen = [name], {name}
    while wanted:
        for path in _files(wanted.pop(), folder):
            content = path.read_bytes()
            yield path.relative_to(folder).as_posix(), content
            unseen = (one for one in _imported(content) if one not in seen and one not in installed)
            beside = {one for one in unseen if _files(one, folder)}
            wanted += sorted(beside)
            seen |= beside


def _files(name: str, folder: Path) -> list[Path]:
    """Return the files that a top-level name stands for in a folder; none where it is found elsewhere."""
    module = folder / f"{name}.py"
    if (folder / name).is_dir():
        found = sorted((folder / name).rglob("*.py"))
        return [path for path in found if path.is_file() and not _is_hidden(path.relative_to(folder))]
    return [module] if module.is_file() else []


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _imported(content: bytes) -> set[str]:
    """Return the top-level names that a file imports, but for its own package's; none where it does not parse."""
    try:
        statements = list(ast.walk(ast.parse(content)))
    except (SyntaxError, ValueError):
        return set()  # importing it says so
    names = {alias.name for one in statements if isinstance(one, ast.Import) for alias in one.names}
    names |= {one.module for one in statements if isinstance(one, ast.ImportFrom) and one.module and not one.level}
    return {name.partition(".")[0] for name in names}
