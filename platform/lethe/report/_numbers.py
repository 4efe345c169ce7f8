"""How reports write numbers and name rows, in plain text; where a medium has a better minus sign, it puts that in."""

from typing import Final

from lethe.results.views import LeaderboardRow

METRICS: Final = {
    "gap": "gap",
    "gap_closed": "gap closed",
    "ua": "UA",
    "ra": "RA",
    "ta": "TA",
    "mia": "MIA",
    "auc": "AUC",
}


def percent(fraction: float | None) -> str:
    """Write a fraction in percent; nothing where there is none."""
    return "" if fraction is None else f"{100 * fraction:.1f}"


def signed(fraction: float) -> str:
    """Write a difference in points, with its sign."""
    return f"{100 * fraction:+.1f}"


def gap_interval(line: LeaderboardRow) -> str:
    """Write the interval of a gap, which is never below zero; nothing where there is none."""
    if line.gap_low is None or line.gap_high is None:
        return ""
    return f"[{percent(max(line.gap_low, 0.0))}, {percent(line.gap_high)}]"


def difference(mean: float, low: float | None, high: float | None) -> str:
    """Write a difference with its interval."""
    return signed(mean) if low is None or high is None else f"{signed(mean)} [{signed(low)}, {signed(high)}]"


def model_title(network: str, precision: str | None) -> str:
    """Name a network with its precision, where that is known."""
    return f"{network}, {precision}" if precision else network


def row_title(row: str) -> str:
    """Call a row of a leaderboard as a table does."""
    return {"original": "original (do nothing)", "oracle": "oracle (noise floor)"}.get(row, row)
