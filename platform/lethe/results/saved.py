"""Queries that users keep beside the results: ``queries/<name>.sql`` in the results place, each a view by its name."""

import re
import warnings
from typing import Final

from lethe.place import Place
from lethe.results.rows import TABLES
from lethe.results.store import CorruptPartWarning
from lethe.results.views import VIEWS

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_SUFFIX: Final = ".sql"


def check_name(name: str) -> None:
    """See that a query can have this name.

    Raises:
        ValueError: it is no identifier, or a table's or view's own.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"a query's name is made of a-z, 0-9 and _, and begins with a letter; got '{name}'")
    if name in TABLES or name in VIEWS or name == "columns":
        raise ValueError(f"'{name}' is the name of a table or view: choose another")


def write_saved(place: Place, name: str, sql: str) -> str:
    """Keep a query, in the place of an older one of that name; say where it lies.

    Raises:
        PlaceError: it could not be written.
    """
    _folder(place).write(name + _SUFFIX, sql.encode() + b"\n")
    return f"{_folder(place)}/{name}{_SUFFIX}"


def read_saved(place: Place) -> dict[str, str]:
    """Read the queries that were kept, by name; files whose names cannot be a query's are passed over.

    One that is no text is left out with a `CorruptPartWarning`.
    """
    folder = _folder(place)
    names = [name for name in folder.names(_SUFFIX) if _NAME.fullmatch(name.removesuffix(_SUFFIX))]
    return {name.removesuffix(_SUFFIX): sql for name in names if (sql := _text(folder, name)) is not None}


def _text(folder: Place, name: str) -> str | None:
    try:
        return folder.read(name).decode()
    except UnicodeDecodeError as error:
        warning = f"left out the saved query {folder}/{name}, which is not UTF-8 text: {error}"
        warnings.warn(CorruptPartWarning(warning), stacklevel=4)
        return None


def _folder(place: Place) -> Place:
    return place.child("queries")
