"""Names: in natural order, 2 before 10, and those of classes as people write them."""

import re
import unicodedata
from collections.abc import Sequence

SPLIT_COLUMN = re.compile(r"set|(.*[ _.-])?(split|subset|fold|partition)")
"""Columns, in lower case, that say which split a row is about, such as split or data_split."""

PATIENT_COLUMN = re.compile(
    r"(patients?|subjects?|case|person|participant)[ _.-]?(id|no|nr|num|number|name|key|code)?|mrn|pid"
)
"""Columns, in lower case, that say whom a row is about, such as PatientID or subject."""


def natural_key(name: str) -> tuple[str, str]:
    """Make a sort key that compares runs of digits as numbers: 2 before 10; all else as text."""
    return re.sub(r"[0-9]+", _by_length, name), name


def class_positions(named: str | int, class_names: Sequence[str]) -> list[int]:
    """Return the positions of the classes of a name, or of a position.

    Args:
        named: a name in any form of Unicode, or a position.
        class_names: in Unicode's composed form (NFC), as those of loaded data are.

    Returns:
        None of them where there is no such class; several where names are alike.
    """
    if isinstance(named, int):
        return [named] if 0 <= named < len(class_names) else []
    wanted = unicodedata.normalize("NFC", named)
    return [index for index, name in enumerate(class_names) if name == wanted]


def _by_length(run: re.Match[str]) -> str:
    """Write a number so that text compares it as one: its length goes first, behind a 0 as against any other text."""
    digits = run[0].lstrip("0")
    return f"0{chr(len(digits))}{digits}"
