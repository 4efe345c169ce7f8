"""The page's tables as text: each cell with what it shows and the number that it sorts by."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lethe.report._board import Board
from lethe.report._class_names import class_title
from lethe.report._clinical import Clinic
from lethe.report._leaderboard import second, setting_in_words, verdict
from lethe.report._notes import settings_of
from lethe.report._numbers import (
    METRICS,
    gap_interval,
    missing,
    model_title,
    optimism_in_words,
    p_value,
    row_title,
    share,
    signed,
    standing,
)
from lethe.report._ranks import between_methods, has_mean_ranks, is_ranked, mean_rank_in_words, rank_of
from lethe.report.page._gather import ScenarioPart, Searched, StudyPart
from lethe.report.page._glance import kind_of
from lethe.report.page._wording import MINUS, difference, percent, searched_title
from lethe.results import durations
from lethe.results.views import AugmentationRow, ContrastRow, LeaderboardRow
from unlearning.audits import Clinical

FAILURES_SHOWN: Final = 50


@dataclass(frozen=True)
class Number:
    """A number as a table shows it, and as it sorts; None sorts last."""

    text: str
    value: float | None


def sortable(value: float | None) -> str:
    """Write what a cell sorts by, with as many digits as tell values apart; empty where there is none."""
    return "" if value is None else f"{value:.9g}"


@dataclass(frozen=True)
class Reach:
    """Where an excess, its interval and the noise floor lie on the scale of a table's, in percent of its width."""

    excess: float
    low: float
    high: float
    floor: float


@dataclass(frozen=True)
class Line:
    """One row of a leaderboard.

    Attributes:
        kind: 'original', 'oracle', 'method' or 'control'.
        rank: with its interval; empty on boards without ranks, and for rows that are no method.
        standing: how far a row is that has no oracles.
        measures: UA, RA, TA, MIA.
        reach: None where there is no excess.
        excess: over the noise floor, with its interval.
    """

    name: str
    kind: str
    rank: str
    measures: tuple[Number, ...]
    gap: Number
    interval: str
    reach: Reach | None
    excess: Number
    verdict: str
    standing: str
    auc: Number
    seconds: Number
    share: Number
    tuning: Number


def lines_of(board: Board) -> list[Line]:
    """Return the rows of a leaderboard."""
    known = [(line.excess_low, line.excess, line.excess_high) for line in board.lines]
    ends = [0.0, *(end for ends in known for end in ends if end is not None)]
    ranks = {one.row: rank_of(one) for one in board.ranks} if is_ranked(board) else {}
    return [_line(line, (min(ends), max(ends)), ranks.get(line.row, "")) for line in board.lines]


def _line(line: LeaderboardRow, scale: tuple[float, float], rank: str) -> Line:
    tuned = line.tuning_trials is not None and line.tuning_seconds is not None
    return Line(
        name=row_title(line.row, untuned=line.untuned),
        kind=kind_of(line),
        rank=rank,
        measures=tuple(Number(percent(value), value) for value in (line.ua, line.ra, line.ta, line.mia)),
        gap=Number(percent(line.gap) if line.gap is not None else missing(line), line.gap),
        interval=gap_interval(line),
        reach=_reach(line, scale),
        excess=Number(
            "" if line.excess is None else difference(line.excess, line.excess_low, line.excess_high), line.excess
        ),
        verdict=line.verdict or "",
        standing=standing(line),
        auc=Number(percent(line.auc), line.auc),
        seconds=Number(durations.measured(line.seconds_unlearn), line.seconds_unlearn),
        share=Number(share(line.compute_share, line.seconds_unlearn), line.compute_share),
        tuning=Number(
            f"{line.tuning_trials} in {durations.measured(line.tuning_seconds)}" if tuned else "", line.tuning_seconds
        ),
    )


def _reach(line: LeaderboardRow, scale: tuple[float, float]) -> Reach | None:
    if line.excess is None:
        return None
    first, last = scale
    width = (last - first) or 1.0
    low = line.excess if line.excess_low is None else line.excess_low
    high = line.excess if line.excess_high is None else line.excess_high
    return Reach(*(100 * (value - first) / width for value in (line.excess, low, high, 0.0)))


@dataclass(frozen=True)
class Comparison:
    """How one row compares with another."""

    first: str
    second: str
    shown: str
    p: str
    verdict: str


def comparisons_of(board: Board) -> list[Comparison]:
    """Return the contrasts of a leaderboard; where a matrix shows those of methods, the ones with controls alone."""
    return [
        Comparison(
            row_title(one.first),
            "doing nothing" if one.second == "original" else second(one),
            difference(one.difference, one.low, one.high),
            "" if one.p_holm is None else p_value(one.p_holm),
            one.verdict,
        )
        for one in board.contrasts
        if one.family == "controls" or not is_ranked(board)
    ]


@dataclass(frozen=True)
class Cell:
    """How a method compares with another, in a matrix.

    Attributes:
        shown: the difference in points; empty on the diagonal.
        verdict: as a class of the page's styles; empty on the diagonal.
        told: all of it, in words.
    """

    shown: str
    verdict: str
    told: str


@dataclass(frozen=True)
class MatrixRow:
    """One method against all others, the closest to retraining first, and against doing nothing."""

    rank: int
    interval: str
    method: str
    best: str
    nothing: Cell
    others: tuple[Cell, ...]


def matrix_of(board: Board) -> list[MatrixRow]:
    """Return how every method compares with every other; empty where there are too few for ranks."""
    if not is_ranked(board):
        return []
    found = between_methods(board)
    nothing = {one.first: one for one in board.contrasts if one.family == "doing nothing"}
    return [
        MatrixRow(
            rank=one.rank,
            interval="" if one.rank_low is None else f"[{one.rank_low}, {one.rank_high}]",
            method=one.row,
            best=f"{100 * one.best_share:.0f} %",
            nothing=_cell(nothing.get(one.row)),
            others=tuple(_cell(found.get((one.row, other.row))) for other in board.ranks),
        )
        for one in board.ranks
    ]


def _cell(one: ContrastRow | None) -> Cell:
    if one is None:
        return Cell("", "", "")
    other = "doing nothing" if one.second == "original" else one.second
    told = f"{MINUS} {other}: {verdict(one)}".replace("-", MINUS)
    return Cell(f"{signed(one.difference)}".replace("-", MINUS), one.verdict.replace(" ", "-"), told)


@dataclass(frozen=True)
class TrialLine:
    """One trial of a search."""

    number: int
    status: str
    gap: Number
    seconds: Number
    setting: str
    chosen: bool


def trials_of(search: Searched) -> tuple[TrialLine, ...]:
    """Return the trials of a search, the smallest gap first."""
    ordered = sorted(search.trials, key=lambda trial: (trial.measured is None, trial.measured or 0.0, trial.number))
    return tuple(
        TrialLine(
            trial.number,
            trial.status,
            Number(percent(trial.measured), trial.measured),
            Number(durations.measured(trial.seconds_total), trial.seconds_total),
            setting_in_words(trial.setting),
            search.choice is not None and trial.trial_id == search.choice.trial_id,
        )
        for trial in ordered
    )


@dataclass(frozen=True)
class MethodNumbers:
    """Some numbers of one method, a line of a table."""

    method: str
    cells: tuple[Number, ...]


def rises_of(board: Board) -> list[MethodNumbers]:
    """Return how much better each chosen setting looked where it was chosen."""
    return [
        MethodNumbers(
            searched_title(one.method, one.row),
            tuple(
                Number(text.replace("-", MINUS), value)
                for text, value in zip(
                    optimism_in_words(one),
                    (one.tuning_gap, one.confirmed_gap, one.tuning_alike, one.confirmed_alike, one.optimism),
                    strict=True,
                )
            ),
        )
        for one in board.optimism
    ]


def means_of(board: Board) -> list[MethodNumbers]:
    """Return the ranks of the methods over all boards of a study; empty where there are too few."""
    return [
        MethodNumbers(
            one.row,
            tuple(
                Number(text, value)
                for text, value in zip(
                    mean_rank_in_words(one), (one.mean_rank, one.best_rank, one.worst_rank, one.unbeaten), strict=True
                )
            ),
        )
        for one in (board.mean_ranks if has_mean_ranks(board) else ())
    ]


def budgets_of(board: Board) -> list[MethodNumbers]:
    """Return the settings, runs and seconds of each search."""
    return [
        MethodNumbers(
            searched_title(one.method, one.row),
            (
                Number(f"{one.settings:,}", one.settings),
                Number(f"{one.runs:,}", one.runs),
                Number(durations.measured(one.seconds), one.seconds),
            ),
        )
        for one in board.budgets
    ]


def choices_of(board: Board) -> list[tuple[str, str, str]]:
    """Return each method, the setting that its search chose, and the trial."""
    return [
        (searched_title(line.method, line.row), setting_in_words(line.setting), line.trial_id or "")
        for line in settings_of(board)
    ]


@dataclass(frozen=True)
class Effect:
    """What an augmentation does to one measure of one row."""

    row: str
    metric: str
    with_it: Number
    without: Number
    difference: Number
    verdict: str


@dataclass(frozen=True)
class AgainstAnother:
    """One augmentation compared with another on one data set and forget request."""

    title: str
    augmentation: str
    against: str
    seeds: int
    effects: tuple[Effect, ...]


def augmentations_of(lines: Iterable[AugmentationRow]) -> list[AgainstAnother]:
    """Sort the effects of augmentation by what they are about."""
    groups: defaultdict[str, list[AugmentationRow]] = defaultdict(list)
    for line in lines:
        groups[line.scenario].append(line)
    titles = Counter((_of_what(rows[0]), rows[0].augmentation) for rows in groups.values())
    return [
        AgainstAnother(
            _of_what(rows[0], exactly=titles[_of_what(rows[0]), rows[0].augmentation] > 1),
            rows[0].augmentation,
            rows[0].against,
            max(row.seeds for row in rows),
            tuple(map(_effect, rows)),
        )
        for rows in groups.values()
    ]


def _of_what(line: AugmentationRow, *, exactly: bool = False) -> str:
    named = f"{line.dataset}, forget {line.forget}, {model_title(line.network, line.precision)}"
    if not exactly:
        return named
    data, forget_set, recipe, scenario = (
        value[:6] for value in (line.data_hash, line.forget_hash, line.recipe, line.scenario)
    )
    return f"{named} (data {data}, forget set {forget_set}, recipe {recipe}, scenario {scenario})"


def _effect(line: AugmentationRow) -> Effect:
    return Effect(
        row_title(line.row),
        METRICS.get(line.metric, line.metric),
        Number(percent(line.mean), line.mean),
        Number(percent(line.mean_against), line.mean_against),
        Number(difference(line.difference, line.low, line.high), line.difference),
        line.verdict,
    )


@dataclass(frozen=True)
class Retraining:
    """What a retraining would have cost, and the search instead.

    Attributes:
        seconds: of one retraining, mean; None where this study recorded no oracle.
    """

    title: str
    oracles: int
    seconds: float | None
    search: float

    @property
    def times(self) -> float | None:
        """The cost of the search, in retrainings."""
        return self.search / self.seconds if self.seconds else None


def retrainings_of(part: StudyPart) -> list[Retraining]:
    """Compare the cost of each scenario's search with its retraining."""
    titles: dict[str | None, str] = {}
    oracles: defaultdict[str | None, list[float]] = defaultdict(lambda: [0, 0.0])
    search: defaultdict[str | None, float] = defaultdict(float)
    for line in part.cost:
        if line.stage not in ("oracles", "search"):
            continue
        titles[line.scenario] = (
            f"{line.dataset}, augmentation {line.augmentation}, forget {line.forget}, {line.network}"
        )
        if line.stage == "oracles":
            units, seconds = oracles[line.scenario]
            oracles[line.scenario] = [units + line.units, seconds + line.seconds]
        else:
            search[line.scenario] += line.seconds
    return [
        Retraining(title, int(oracles[scenario][0]), _mean(*oracles[scenario]), search[scenario])
        for scenario, title in titles.items()
    ]


def _mean(units: float, seconds: float) -> float | None:
    return seconds / units if units else None


def asked_in_words(scenario: ScenarioPart) -> str:
    """Describe what a scenario asks."""
    asked = scenario.asked
    duplicates = (
        f", {asked.forget_duplicates:,} of them repeats of one that was asked for" if asked.forget_duplicates else ""
    )
    return (
        f"Forget {asked.forget} ({asked.forget_images:,} train images{duplicates}) of {asked.dataset}: "
        f"{asked.network}, "
        f"augmentation {asked.augmentation}."
    )


def critical_of(part: StudyPart, clinic: Clinic) -> str:
    """Name the classes that a study calls critical; empty where there are none, or it cannot be read."""
    audits = part.study.audits if part.study else ()
    named = [one for audit in audits if isinstance(audit, Clinical) for one in audit.critical]
    return ", ".join(one if isinstance(one, str) else class_title(clinic.class_names, one) for one in named)


def stages_of(part: StudyPart) -> dict[str, float]:
    """Add up the seconds of each stage, and of each method in it."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for line in part.cost:
        seconds[f"{line.stage}: {line.method}" if line.method else line.stage] += line.seconds
    return dict(seconds)
