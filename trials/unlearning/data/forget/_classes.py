"""The class that a request names."""

from unlearning.data._base import DataError, ImageData
from unlearning.data._names import class_positions


def class_position(named: str | int, data: ImageData, request: str, shown: str) -> int:
    """Return the position of the class that a request names, by its name or its position.

    Args:
        request: what reports call the request, for the error.
        shown: how it names the class, for the error.

    Raises:
        DataError: there is no such class, or several have the name.
    """
    found = class_positions(named, data.class_names)
    if len(found) != 1:
        classes = ", ".join(f"{index} ({name})" for index, name in enumerate(data.class_names))
        count = f"{len(found)} classes" if found else "no class"
        raise DataError(f"{request}: {data.name} has {count} {shown}; its classes are {classes}")
    return found[0]
