"""What a column holds as JSON: a setting's options by name, or what was searched."""

from typing import Any

from lethe.storage.documents import MalformedError, read_json_object
from lethe.storage.root import StorageError


class CorruptRowError(StorageError):
    """A row of an intact part that holds what no Lethe writes; the message names the column and what was found."""


def json_column(name: str, text: str) -> dict[str, Any]:
    """Read a column's JSON.

    Raises:
        CorruptRowError: it is no JSON object.
    """
    try:
        return read_json_object(text)
    except MalformedError as error:
        shown = ascii(text[:80])
        raise CorruptRowError(
            f"the column {name} of a row holds {shown}: {error}\n"
            f"Lethe wrote no such row. Find its study with: select study, {name} from trials; and move its file away."
        ) from error
