"""One tree of exceptions, drawn in `lethe.errors`, for whoever calls Lethe."""

import importlib
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import lethe
import unlearning
from lethe import errors
from unlearning.data import DataError
from unlearning.metrics import DivergedError

PRIVATE = {
    "UnfitError",  # of one picture; `_images.py` turns it into a DataError
    "_GradientWanted",  # ends a rule of a step; `FusedEngine` calls it again
    "_NoBucketError",  # an OSError of an object store; `StorageRoot` turns it into a StorageError
}
"""Control flow inside a room, which no user sees."""


def modules(package: ModuleType) -> Iterator[ModuleType]:
    [folder] = map(Path, package.__path__)
    for file in sorted(folder.rglob("*.py")):
        if file.name not in ("__init__.py", "__main__.py"):
            yield importlib.import_module(".".join(file.relative_to(folder.parent).with_suffix("").parts))


def own_exceptions() -> dict[str, type[BaseException]]:
    return {
        name: value
        for package in (lethe, unlearning)
        for module in modules(package)
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, BaseException)
        and not issubclass(value, Warning)
        and value.__module__ == module.__name__
    }


def drawn() -> list[tuple[int, str]]:
    """The names of the tree in the docstring, each with its depth."""
    lines = (errors.__doc__ or "").splitlines()
    found = [re.fullmatch(r"    ([ │├└]*)(\w+Error)( .*)?", line) for line in lines]
    return [(len(one[1]) // 2, one[2]) for one in found if one]


def test_every_exception_derives_from_lethes_own() -> None:
    classes = own_exceptions()
    assert len(classes) > 20
    strangers = {name for name, one in classes.items() if not issubclass(one, errors.LetheError)}
    assert strangers == PRIVATE


def test_the_drawn_tree_is_the_real_one() -> None:
    classes = own_exceptions()
    parents: list[str] = []
    for depth, name in drawn():
        del parents[depth:]
        assert classes[name].__bases__[0].__name__ == (parents[-1] if parents else "Exception"), name
        parents.append(name)
    assert {name for _, name in drawn()} == set(classes) - PRIVATE


def test_what_was_a_value_error_before_is_one_still() -> None:
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(DivergedError, ValueError)


def test_the_root_is_one_class_in_both_packages() -> None:
    assert lethe.LetheError is errors.LetheError is importlib.import_module("unlearning.errors").LetheError
    with pytest.raises(lethe.LetheError):
        raise DataError("no data")


def test_an_exception_survives_the_way_between_processes() -> None:
    for error in (errors.InputError("wanted a"), errors.SchemaError("newer"), DataError("no data")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
