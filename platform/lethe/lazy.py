"""Names of a package that are loaded when they are first used (PEP 562), where their modules are slow to import."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def loading(
    package: str, eager: Mapping[str, object], modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package.

    Args:
        eager: the package's names that are there.
        modules: the names that are loaded when they are first used, by module. A module must not have the name of one:
            the package's attribute of this name would be the module.
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def load(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(module_of[name]), name)

    def listed() -> list[str]:
        return sorted({*eager, *module_of})

    return load, listed
