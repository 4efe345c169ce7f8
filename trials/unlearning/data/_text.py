"""Reading a text file as what a user's programs write: UTF-8 or UTF-16 with or without a mark, else Latin-1."""

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


@dataclass(frozen=True)
class Text:
    """The text of a file, without a byte-order mark, and what the file was read as."""

    text: str
    encoding: str


def read_text(path: Path, what: str, limit_bytes: int) -> Text:
    """Read a text file.

    Args:
        path: the file.
        what: what error messages call it.
        limit_bytes: the size above which it is refused unread.

    Raises:
        DataError: the file cannot be read, is too large or no text.
    """
    content = read_regular(path, limit_bytes, what)
    encoding = next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise DataError(f"{path}: the {what} cannot be read as {encoding.upper()} ({error.reason})") from error
        text, encoding = content.decode("latin-1"), LATIN_1
    if "\0" in text:
        raise DataError(
            f"{path}: wanted text or CSV as {what}, got NUL characters, as in a workbook or in UTF-16 without a "
            "byte-order mark; save it as CSV in UTF-8"
        )
    return Text(text, encoding or "utf-8")


def shortened(text: str, length: int = 60) -> str:
    """Cut a text for a message."""
    return text if len(text) <= length else f"{text[:length]} ..."
