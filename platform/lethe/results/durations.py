"""How a time span is written, wherever Lethe writes one, and read."""

import re
from datetime import timedelta
from typing import Final

from lethe.errors import InputError

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """Read an age such as ``12h``, ``30d`` or ``2w``.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(r"\s*(\d{1,6}(?:\.\d+)?)\s*([hdw])\s*", text)
    if not match:
        raise InputError(f"wanted an age such as 12h, 30d or 2w, got '{text}'")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def measured(seconds: float | None) -> str:
    """Write a time that was measured, with one decimal of the unit that suits it; nothing where there is none."""
    if seconds is None:
        return ""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 0.05 or seconds == 0 else "< 0.1 s"


def estimated(seconds: float) -> str:
    """Write an estimated time, without decimals that would claim more precision."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
