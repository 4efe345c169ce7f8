"""What a reader must know of a search before trusting its best setting, a sentence each."""

import json
import math
from typing import Any, Final

from pydantic import ValidationError

from lethe.report._numbers import count, was
from lethe.results.views import SearchQualityRow

MANY_DIVERGED: Final = 0.25
"""A search with at least this share of diverged trials spent its budget where nothing can be found."""

FEW_SETTINGS: Final = 0.5
"""A search with at most this share of distinct settings has mostly repeated itself."""


def search_notes(row: SearchQualityRow) -> list[str]:
    """Return the notes on a search, most important first.

    Args:
        row: of the view ``search_quality``.
    """
    return [*_result(row), *_ends(row), *_losses(row), *_proposals(row), *_race(row)]


def _result(row: SearchQualityRow) -> list[str]:
    if row.gap is None:
        return [f"none of {count(row.trials, 'trial')} finished with a gap"]
    if row.original_gap is not None and row.gap >= row.original_gap:
        gap, untouched = 100 * row.gap, 100 * row.original_gap
        return [f"the best trial is not better than doing nothing ({gap:.1f} against {untouched:.1f} points)"]
    return []


def _ends(row: SearchQualityRow) -> list[str]:
    setting, space = json.loads(row.setting or "{}"), json.loads(row.search_space or "{}")
    named = [(name, "low") for name in row.at_low_end] + [(name, "high") for name in row.at_high_end]
    return [_end(row.method, name, setting[name], space[name]["attributes"], end) for name, end in sorted(named)]


def _end(method: str, name: str, value: Any, limits: dict[str, Any], end: str) -> str:
    low, high = limits["low"], limits["high"]
    side = "lower" if end == "low" else "upper"
    advice = "widen it" if _goes_on(method, name, limits[end], end) else f"{name} goes no further"
    return f"{name} {value:.3g} is at the {side} end of its range {low:.3g} to {high:.3g}: {advice}"


def _goes_on(method: str, name: str, limit: float, end: str) -> bool:
    """Return whether the method takes a value beyond this end of a range; for a method unknown here, assume so."""
    from lethe.plugins import known_method  # with every method, hence torch

    known = known_method(method)
    if known is None:
        return True
    sign = 1 if end == "high" else -1
    beyond: Any = limit + sign if isinstance(limit, int) else math.nextafter(limit, sign * math.inf)
    try:
        known(**{name: beyond})
    except ValidationError:
        return False
    return True


def _losses(row: SearchQualityRow) -> list[str]:
    notes = []
    if row.diverged and row.diverged >= MANY_DIVERGED * row.trials:
        notes.append(f"{_of(row.diverged, row.trials)} diverged")
    if row.failed:
        notes.append(f"{_of(row.failed, row.trials)} failed (`failures` names the errors)")
    if row.trials > 1 and row.settings <= FEW_SETTINGS * row.trials:
        notes.append(f"{row.settings} distinct settings among {row.trials} trials")
    return notes


def _proposals(row: SearchQualityRow) -> list[str]:
    """Describe who proposed the settings of a search that has a model or begins with settings of other searches."""
    settings = "a setting" if row.by_prior == 1 else "settings"
    prior = f"{row.by_prior} {was(row.by_prior)} {settings} that other searches chose" if row.by_prior else ""
    if row.by_model is None or row.by_startup is None or row.by_model + row.by_startup == 0:
        return [prior] if prior else []
    drawn = "a start-up draw" if row.by_startup == 1 else "start-up draws"
    startup = f"{row.by_startup} {was(row.by_startup)} {drawn}" + (f", {prior}" if prior else "")
    if row.by_model == 0:
        all_of = startup if prior else "all were start-up draws"
        return [f"none of {count(row.trials, 'proposal')} was made by the model, {all_of}"]
    made, of = was(row.by_model), count(row.trials, "proposal")
    return [f"{row.by_model} of {of} {made} made by the model, {startup}"]


def _race(row: SearchQualityRow) -> list[str]:
    """Describe how many settings ran again on further tuning seeds."""
    if not row.raced:
        return []
    lost = f", {row.raced_lost} of which diverged or failed" if row.raced_lost else ""
    again = f"the best ran again on further tuning seeds, in {row.raced} trials{lost}"
    return [f"{row.settings} settings were tried; {again}"]


def _of(part: int, trials: int) -> str:
    return f"{part} of {count(trials, 'trial')}"
