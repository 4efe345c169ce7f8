"""Small JSON files: each kind has one strict model, and text that does not fit it is refused with one sentence.

Whoever reads the kind decides what follows: the file is quarantined, ignored or waited for.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json

from lethe.errors import LetheError

STRICT: Final = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
"""How a file is read. A later Lethe of the same format may add keys: they are ignored, so that its files open."""

_SHOWN: Final = 3
"""Misfits that a message lists."""

DocumentT = TypeVar("DocumentT")


class Document(BaseModel):
    """What a small file says, or a part of it."""

    model_config = STRICT | ConfigDict(frozen=True)


class MalformedError(LetheError):
    """Text that is not the expected JSON; the message says what was found."""


def read_json(kind: type[DocumentT], text: bytes | str) -> DocumentT:
    """Read JSON into a strict model or dataclass.

    Args:
        kind: a `Document`, or a pydantic dataclass with the config `STRICT`.

    Raises:
        MalformedError: it is no JSON (torn, not UTF-8, nested deeper than 200 levels), or does not fit the model.
    """
    try:
        found: DocumentT = TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        raise MalformedError(_explain(error)) from None
    return found


def read_json_object(text: bytes | str) -> dict[str, Any]:
    """Read a JSON object whose keys are not known beforehand.

    Raises:
        MalformedError: it is no JSON (torn, not UTF-8, nested deeper than 200 levels), or no object.
    """
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedError(f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise MalformedError(f"wanted a JSON object, got a {type(found).__name__}")
    return found


def _explain(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    misfits = [_misfit(detail) for detail in details[:_SHOWN]]
    more = len(details) - len(misfits)
    return "; ".join(misfits) + (f"; and {more} more" if more else "")


def _misfit(detail: Mapping[str, Any]) -> str:
    """Name the key, as text that a terminal cannot obey, and what is wrong with it."""
    key = ".".join(str(part) for part in detail["loc"])
    shown = ascii(key[:80])[1:-1]
    return f"{shown}: {detail['msg']}" if key else str(detail["msg"])
