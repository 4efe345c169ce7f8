"""Whether a folder may become a results folder: it is empty, or already holds Lethe's results."""

from typing import Final

from lethe.results.rows import TABLES
from lethe.storage.layout import FOLDERS, FORMER_FOLDERS, Layout
from lethe.storage.root import MARK, StorageError, StorageRoot

_NOBODYS: Final = {"lost+found"}
_NAMED: Final = 5


def check_ownership(root: StorageRoot) -> None:
    """Check that a folder holds no files of another tool; hidden files and YAML (perhaps the study) do not count.

    A folder that was prepared once is Lethe's, and so is one with a table in it, whatever else it holds.

    Raises:
        StorageError: it holds files of something else, and no results.
    """
    others = [name for name in root.entries() if not _may_stay(name)]
    if not others or root.exists(MARK) or any(Layout(root).tables.exists(table) for table in TABLES):
        return
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    raise StorageError(
        f"{root} holds no results, but files of something else: {', '.join(others[:_NAMED])}{more}; name another "
        f"results folder, such as {root}/lethe, or write into this one with --force"
    )


def _may_stay(name: str) -> bool:
    return name in FOLDERS | FORMER_FOLDERS | _NOBODYS or name.startswith(".") or name.endswith((".yaml", ".yml"))
