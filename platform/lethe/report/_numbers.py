"""How reports write numbers and name rows, in plain text; a medium that has a better minus sign puts that in."""

from collections.abc import Sequence
from typing import Final

from lethe.results.views import LEVEL, LeaderboardRow, OptimismRow

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


def share(fraction: float | None, seconds: float | None) -> str:
    """Write a row's share of retraining's images: unknown where it took its time and nobody counted them.

    Args:
        seconds: what the row took; None: nothing was run.
    """
    if fraction is None:
        return "" if seconds is None else "unknown"
    return f"{percent(fraction)} %"


def signed(fraction: float) -> str:
    """Write a difference in points, with its sign."""
    return f"{100 * fraction:+.1f}"


def p_value(p: float) -> str:
    """Write a p-value with two digits, or more where two would hide on which side of the level it lies."""
    if p < 0.001:
        return "< 0.001"
    near = abs(p - LEVEL) < 0.005
    return f"{p:.4f}" if near else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def seconds(value: float | None) -> str:
    """Write a time in seconds, with three significant digits; nothing where there is none."""
    if value is None:
        return ""
    if value < 0.01:
        return "< 0.01"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def count(number: int, thing: str) -> str:
    """Write a number of things."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def was(number: int) -> str:
    """Return the verb that goes with a number of things in the past tense."""
    return "was" if number == 1 else "were"


def gap_interval(line: LeaderboardRow) -> str:
    """Write the interval of a gap; nothing where there is none."""
    return _interval(line.gap_low, line.gap_high)


def optimism_in_words(line: OptimismRow) -> tuple[str, str, str, str, str]:
    """Write the gaps of a setting on tuning and on reporting seeds, over the measures that both have, and the rise."""
    confirmed = f"{percent(line.confirmed_gap)} {_interval(line.confirmed_low, line.confirmed_high)}".rstrip()
    rise = difference(line.optimism, line.optimism_low, line.optimism_high)
    return percent(line.tuning_gap), confirmed, percent(line.tuning_alike), percent(line.confirmed_alike), rise


def excess(line: LeaderboardRow) -> str:
    """Write the excess over the noise floor with its interval; nothing where there is none."""
    return "" if line.excess is None else difference(line.excess, line.excess_low, line.excess_high)


def difference(mean: float, low: float | None, high: float | None) -> str:
    """Write a difference with its interval."""
    return signed(mean) if low is None or high is None else f"{signed(mean)} [{signed(low)}, {signed(high)}]"


def model_title(network: str, precision: str | None) -> str:
    """Name a network with its precision, where that is known."""
    return f"{network}, {precision}" if precision else network


def row_title(row: str, *, untuned: bool = False) -> str:
    """Return the name of a leaderboard's row as tables have it."""
    named = {"original": "original (do nothing)", "oracle": "oracle (noise floor)"}.get(row, row)
    return f"{named}, untuned" if untuned else named


def listed(thing: str, values: Sequence[int], *, counted: bool = False) -> str:
    """Write a list of numbered things, such as seeds, with their number if it is asked for."""
    plural = "" if len(values) == 1 else "s"
    names = ", ".join(map(str, values))
    return f"{len(values)} {thing}{plural} ({names})" if counted else f"{thing}{plural} {names}"


def missing(line: LeaderboardRow) -> str:
    """Return why a row has no gap; nothing where it has one."""
    if line.gap is not None:
        return ""
    if line.status == "done":
        return "" if line.has_oracles else "no oracle"
    return f"{line.seeds} of {line.seeds_wanted} seeds" if line.status == "incomplete" else line.status


def standing(line: LeaderboardRow) -> str:
    """Return how far a row without oracles is: done, or what it lacks."""
    return line.status if line.status == "done" else missing(line)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{percent(low)}, {percent(high)}]"
