"""Reading a text file as what a user's programs write: UTF-8 or UTF-16 with or without a mark, else Windows-1252.

Windows-1252 is Latin-1 but for 32 bytes that are controls there, and here Excel's euro sign, quotes and dashes.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from unlearning.data._base import DataError
from unlearning.data._files import read_regular

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks and what they announce; UTF-32's begins like UTF-16's."""

LATIN_1 = "Latin-1"
WINDOWS_1252 = "Windows-1252"


@dataclass(frozen=True)
class Text:
    """The text of a file, without a byte-order mark.

    Attributes:
        assumed: the encoding that it was read in where it says none and is not UTF-8; else None.
    """

    text: str
    assumed: str | None


def read_text(path: Path, what: str, limit_bytes: int) -> Text:
    """Read a text file.

    Args:
        path: the file.
        what: what error messages call it.
        limit_bytes: the size above which it is refused unread.

    Raises:
        DataError: the file cannot be read, is too large or no text.
    """
    content, assumed = read_regular(path, limit_bytes, what), None
    encoding = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise DataError(f"{path}: the {what} cannot be read as {encoding.upper()} ({error.reason})") from error
        text, assumed = _without_unicode(path, content, what)
    if "\0" in text:
        raise DataError(
            f"{path}: wanted text or CSV as {what}, got NUL characters, as in a workbook or in UTF-16 without a "
            "byte-order mark; save it as CSV in UTF-8"
        )
    return Text(text, assumed)


def _without_unicode(path: Path, content: bytes, what: str) -> tuple[str, str]:
    """Return the text in Windows-1252, and the name of Latin-1 where both are the same."""
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: the {what} is neither UTF-8 nor {WINDOWS_1252}, which has no character for the byte "
            f"{content[error.start]:#x}; save it as CSV in UTF-8"
        ) from error
    return text, LATIN_1 if text == content.decode("latin-1") else WINDOWS_1252


def shortened(text: str, length: int = 60) -> str:
    """Cut a text for a message."""
    return text if len(text) <= length else f"{text[:length]} ..."
