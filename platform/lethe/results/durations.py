"""How a time span is written, wherever Lethe writes one."""


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
