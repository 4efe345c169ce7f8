"""How numbers are written on the page, and the one sentence that answers a scenario for a method.

Fractions come in, percent and points go out. A sentence claims no more than its test does: what the seeds do not decide
is called inconclusive.
"""

from dataclasses import dataclass
from typing import Final, Literal

from lethe.plugins import known_method
from lethe.report import _numbers
from lethe.report._notes import undecided
from lethe.report._numbers import count, gap_interval, missing, p_value
from lethe.results.deliveries import KnownDelivery
from lethe.results.views import ContrastRow, LeaderboardRow

Mood = Literal["closer", "unclear", "farther", "nothing"]
"""What a sentence concludes: closer to retraining than doing nothing, inconclusive, farther, or no result."""

MINUS: Final = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Answer:
    """What a study found on one scenario with one method."""

    method: str
    mood: Mood
    verdict: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the search of one scenario with one method has come."""

    study: str
    scenario: str
    method: str
    trials: int
    done: int
    diverged: int
    failed: int
    best: float | None
    original: float | None


def percent(fraction: float | None) -> str:
    """Write a fraction in percent; nothing where there is none."""
    return _numbers.percent(fraction).replace("-", MINUS)


def difference(mean: float, low: float | None, high: float | None) -> str:
    """Write a difference with its interval."""
    return _numbers.difference(mean, low, high).replace("-", MINUS)


def method_title(name: str) -> str:
    """Return the name of a method as prose has it."""
    method = known_method(name)
    return method.title if method else name


def searched_title(method: str, row: str) -> str:
    """Return the name of a search's row as prose has it: its method, and the control that was tuned itself."""
    control = row.removeprefix(method).strip()
    return f"{method_title(method)}, {control}" if control else method_title(method)


def confirmed_answer(line: LeaderboardRow, original: LeaderboardRow | None, contrast: ContrastRow | None) -> Answer:
    """Describe what the reporting seeds show of a method's chosen setting."""
    name = _context(line.method)
    if line.gap is None:
        return Answer(line.method, "nothing", missing(line) or "no result", f"{name} has no gap: {_why(line)}")
    if line.gap_low is None:
        over = f"over {count(line.seeds, 'seed')}, too few for an interval"
    else:
        over = f"{gap_interval(line)} over {count(line.seeds, 'seed')}"
    return Answer(
        line.method,
        *_verdict(contrast),
        f"{_possessive(name)} gap to retraining is {percent(line.gap)} points {over}, {_against(original, contrast)}. "
        f"{_floor(line)}",
    )


def searched_answer(progress: Progress) -> Answer:
    """Describe the progress of the search of a method that has no confirmed row yet."""
    name = _context(progress.method)
    if progress.done == 0:
        ends = [
            f"{ended} {how}" for ended, how in ((progress.diverged, "diverged"), (progress.failed, "failed")) if ended
        ]
        how = f" ({', '.join(ends)})" if ends else ""
        return Answer(
            progress.method,
            "nothing",
            "no trial finished",
            f"{name} has no answer: none of its {count(progress.trials, 'trial')} finished{how}, so there is no "
            "setting to confirm.",
        )
    best = (
        f"the best so far has a gap of {percent(progress.best)} points" if progress.best is not None else "no gap yet"
    )
    against = f", against {percent(progress.original)} for doing nothing" if progress.original is not None else ""
    return Answer(
        progress.method,
        "nothing",
        "not confirmed yet",
        f"{name} is not confirmed yet: of {count(progress.trials, 'trial')} {progress.done} finished, and on the "
        f"tuning seeds, where it was chosen, {best}{against}.",
    )


def unsearched_answer(method: str) -> Answer:
    """State that a method of the study has no trial yet."""
    return Answer(method, "nothing", "no trial yet", f"{_context(method)} has no trial yet.")


def _verdict(contrast: ContrastRow | None) -> tuple[Mood, str]:
    if contrast is None:
        return "unclear", "not compared"
    moods: dict[str, Mood] = {"closer": "closer", "farther": "farther"}
    words = {
        "closer": "closer than doing nothing",
        "farther": "farther than doing nothing",
        "inconclusive": "inconclusive against doing nothing",
    }
    return moods.get(contrast.verdict, "unclear"), words.get(contrast.verdict, contrast.verdict)


def _why(line: LeaderboardRow) -> str:
    """Return why a row has no gap, with a full stop."""
    if line.status == "incomplete":
        return f"{line.seeds} of {count(line.seeds_wanted, 'reporting seed')} are confirmed."
    if line.status == "done":
        return "no gap was measured."
    return f"a run of the chosen setting {line.status} on at least one of {count(line.seeds, 'reporting seed')}."


def _against(original: LeaderboardRow | None, contrast: ContrastRow | None) -> str:
    if original is None or original.gap is None:
        return "with no gap of doing nothing to hold it against"
    if contrast is None:
        return f"against {percent(original.gap)} for doing nothing"
    shown = difference(contrast.difference, contrast.low, contrast.high)
    p = "" if contrast.p_holm is None else f", p {p_value(contrast.p_holm)}"
    return f"against {percent(original.gap)} for doing nothing ({contrast.verdict}: {shown}{p})"


def _floor(line: LeaderboardRow) -> str:
    """Describe where a row lies over the noise floor, and what its verdict amounts to."""
    if line.excess is None:
        return "There is no noise floor to hold it against: it takes oracles of two seeds."
    shown = difference(line.excess, line.excess_low, line.excess_high)
    floor = f"Its excess over the noise floor of {percent(line.noise_floor)} is {shown}"
    match line.verdict:
        case "above the floor":
            return f"{floor}: above what retraining on another seed changes."
        case "equivalent":
            return (
                f"{floor}: equivalent, no more than the margin of {percent(line.margin)} points farther from oracles "
                "than these are from each other."
            )
        case "inconclusive":
            return f"{floor}: inconclusive; {undecided(line)}."
        case _:
            return f"{floor}: no verdict below three seeds."


def delivered(one: KnownDelivery) -> str:
    """Name a delivered model with its certificate's verdict, of which that on its row over seeds is only a part."""
    request = one.request
    return (
        f"Delivered: model {one.models.delivered.fingerprint[:8]} ({one.setting.row}), {request.images:,} of "
        f"{request.train_images:,} train images to be forgotten, verdict: {one.verdict} (certificate of "
        f"{one.made_at:%Y-%m-%d %H:%M} UTC)."
    )


def _context(method: str) -> str:
    title = method_title(method)
    return title[:1].upper() + title[1:]


def _possessive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"
