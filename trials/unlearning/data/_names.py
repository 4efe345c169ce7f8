"""Names in natural order: 2 before 10."""

import re


def natural_key(name: str) -> tuple[str, str]:
    """Make a sort key that compares runs of digits as numbers: 2 before 10; all else as text."""
    return re.sub(r"[0-9]+", _by_length, name), name


def _by_length(run: re.Match[str]) -> str:
    """Write a number so that text compares it as one: its length goes first, behind a 0 as against any other text."""
    digits = run[0].lstrip("0")
    return f"0{chr(len(digits))}{digits}"
