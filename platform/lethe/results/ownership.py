"""Whether a folder may become a results place: it is empty, or holds results of Lethe's already."""

from typing import Final

from lethe.place import MARK, SET_ASIDE, Place, PlaceError
from lethe.results.copies import FOLDER
from lethe.results.rows import TABLES

_OWN: Final = {"tables", "pool", "optuna", "leases", "queries", FOLDER, SET_ASIDE}
_NOBODYS: Final = {"lost+found"}
_NAMED: Final = 5


def check_ownership(place: Place) -> None:
    """See that a place holds no files of another tool; hidden files and YAML, which may be the study's, do not count.

    A place that was prepared once is Lethe's, and so is one with a table in it, whatever else lies there.

    Raises:
        PlaceError: it holds files of something else, and no results.
    """
    others = [name for name in place.entries() if not _may_stay(name)]
    if not others or place.exists(MARK) or any(place.exists(f"tables/{table}") for table in TABLES):
        return
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    raise PlaceError(
        f"{place} holds no results, but files of something else: {', '.join(others[:_NAMED])}{more}; name another "
        f"results place, such as {place}/lethe, or write into this one with --force"
    )


def _may_stay(name: str) -> bool:
    return name in _OWN | _NOBODYS or name.startswith(".") or name.endswith((".yaml", ".yml"))
