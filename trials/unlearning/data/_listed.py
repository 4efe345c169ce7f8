"""Names in a message: all of them, or the first few and how many more there are."""

from collections.abc import Sequence

SHOWN = 20


def listed(names: Sequence[str], separator: str = ", ") -> str:
    """Join names, the first ``SHOWN`` of them, and say how many were left out."""
    rest = len(names) - SHOWN
    return separator.join([*names[:SHOWN], *([f"and {rest} more"] if rest > 0 else [])])
