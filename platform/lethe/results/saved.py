"""Queries that users keep beside the results: ``queries/<name>.sql`` among the results, each a view by its name."""

import re
import warnings
from typing import Final

from lethe.errors import InputError
from lethe.results.rows import IMAGES, TABLES
from lethe.results.store import CorruptPartWarning
from lethe.results.views import VIEWS
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot, UnfitFileError

QUERY_LIMIT_BYTES: Final = 1 << 20

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_SUFFIX: Final = ".sql"


def check_name(name: str) -> None:
    """Check that a query can have this name.

    Raises:
        InputError: it is no identifier, or a table's or view's own.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"a query's name is made of a-z, 0-9 and _, and begins with a letter; got '{name}'")
    if name in TABLES or name in VIEWS or name in ("columns", IMAGES):
        raise InputError(f"'{name}' is the name of a table or view: choose another")


def write_saved(root: StorageRoot, name: str, sql: str) -> str:
    """Save a query, replacing an older one of that name; return where it lies.

    Raises:
        StorageError: it could not be written.
    """
    _folder(root).write(name + _SUFFIX, sql.encode() + b"\n")
    return f"{_folder(root)}/{name}{_SUFFIX}"


def read_saved(root: StorageRoot) -> dict[str, str]:
    """Read the queries that were kept, by name; files whose names cannot be a query's are passed over.

    One that cannot be read is left out with a `CorruptPartWarning`.
    """
    folder = _folder(root)
    names = [name for name in folder.names(_SUFFIX) if _NAME.fullmatch(name.removesuffix(_SUFFIX))]
    read = {name.removesuffix(_SUFFIX): _read(folder, name) for name in names}
    return {name: sql for name, sql in read.items() if sql is not None}


def _read(folder: StorageRoot, name: str) -> str | None:
    try:
        return folder.read(name, QUERY_LIMIT_BYTES).decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        why = f"{folder}/{name}: is not UTF-8 text: {error}"
    except UnfitFileError as error:
        why = str(error)
    warnings.warn(CorruptPartWarning(f"left out the saved query {why}"), stacklevel=4)
    return None


def _folder(root: StorageRoot) -> StorageRoot:
    return Layout(root).queries
