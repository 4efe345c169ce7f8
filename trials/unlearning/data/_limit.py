"""How much memory the images of a user's own data may take, compared before they are read."""

from pathlib import Path
from typing import Annotated

from annotated_types import Interval
from pydantic import Field

from unlearning.data._base import DataError

DEFAULT_LIMIT_GIB = 4.0

LimitGib = Annotated[
    float,
    Interval(gt=0),
    Field(description="most memory that the images may take, GiB; they are measured before reading"),
]
"""The option `limit_gib` of a data source."""

GIB = 2**30


def check_limit(path: Path, size_bytes: int, limit_gib: float | None) -> None:
    """Compare the memory that a source's images take with its limit; None is no limit.

    Raises:
        DataError: they take more; the message names the option that raises the limit.
    """
    if limit_gib is not None and size_bytes > limit_gib * GIB:
        raise DataError(
            f"{path}: wanted images that take at most {limit_gib:g} GiB of memory, got {size_bytes / GIB:.3g} GiB; "
            "if this machine has the memory, raise the data source's option `limit_gib`"
        )
