"""The race: which settings of a method search run on further tuning seeds, when a search has ended, what it chose.

Round 0 tries every proposed setting on the first tuning seeds. When it has ended, the best one of so many distinct
settings (`search.racing.reduction`), by the mean gap over the seeds that they ran on so far, runs on the next seed;
when all of these have ended, the best of them on the one after. That is successive halving (Jamieson and Talwalkar,
2016) over seeds, much as irace (López-Ibáñez et al., 2016) spends instances; irace's test is left out, since a paired
test over two or three seeds rejects nothing. A setting that diverged or failed on a seed is out.

All of it follows from the rows: nothing is kept beside them, so the race is the same on any cluster and after any kill.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from statistics import fmean, stdev

from lethe.results.metric_columns import OBJECTIVE_COLUMNS
from lethe.results.objectives import Point, chosen_of, promising_first
from lethe.results.rows import TrialRow
from lethe.study import MethodSearch, Objective


@dataclass(frozen=True)
class Contender:
    """A setting with what it did so far.

    Attributes:
        trial: its trial of round 0; of a setting that was proposed again, the first one.
        runs: that trial, and its run of each further round.
    """

    trial: TrialRow
    runs: tuple[TrialRow, ...]

    @cached_property
    def best_epoch(self) -> int | None:
        """The epoch of the smallest mean gap over all its seeds, the earlier of two; None unless the best is kept."""
        curves = [_curve(run) for run in self.runs]
        if not all(curves):
            return None
        means = [fmean(chain.from_iterable(gaps)) for gaps in zip(*curves, strict=True)]
        return 1 + means.index(min(means))

    @cached_property
    def gaps(self) -> tuple[float, ...]:
        """The gap on each tuning seed that it ran on, of the epoch that counts."""
        if (epoch := self.best_epoch) is not None:
            return tuple(chain.from_iterable(_curve(run)[epoch - 1] for run in self.runs))
        return tuple(gap for run in self.runs for gap in run.gap_per_seed or (run.gap,) if gap is not None)

    def point(self, objectives: Sequence[Objective]) -> Point:
        """Return the objectives, each the mean over the seeds that it ran on."""
        return tuple(self.mean if name == "gap" else self._mean_of(OBJECTIVE_COLUMNS[name]) for name in objectives)

    def _mean_of(self, column: str) -> float:
        return fmean(
            (getattr(run, column) for run in self.runs), weights=[len(run.training_seeds) for run in self.runs]
        )

    @property
    def mean(self) -> float:
        """Mean gap over the seeds that it ran on."""
        return fmean(self.gaps)

    @property
    def mean_plus_sd(self) -> float:
        """Mean gap plus the standard deviation over these seeds; the mean alone where it ran on one."""
        return self.mean + (stdev(self.gaps) if len(self.gaps) > 1 else 0.0)


@dataclass(frozen=True)
class Standing:
    """How far a method search is.

    Attributes:
        proposed: its trials of round 0 that have ended, by number.
        raced: the runs of later rounds that have ended.
        settings: how many trials round 0 has: fewer than `search.trials` once the seconds are used up.
        due: runs of the current later round that have not ended, as (number of the trial, round).
        left: trials and runs that have not ended; those of rounds to come as many as there will be if none drops out.
        chosen: the setting of the smallest gap so far, by the study's rule; None before one has finished.
    """

    proposed: tuple[TrialRow, ...]
    raced: tuple[TrialRow, ...]
    settings: int
    due: tuple[tuple[int, int], ...]
    left: int
    chosen: Contender | None

    @property
    def rows(self) -> tuple[TrialRow, ...]:
        """All that have ended and count."""
        return (*self.proposed, *self.raced)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to run."""
        return self.left == 0


def standing_of(method_search: MethodSearch, rows: Iterable[TrialRow]) -> Standing:
    """Return how far a method search is, from the rows of trials that have ended.

    Rows of other searches, of more trials than are asked for and of seeds that are no tuning seeds do not count; nor do
    runs of settings that would not be in the race now, such as those of a search that has been extended.
    """
    own = {(row.number, at): row for row in rows if (at := round_of(row, method_search)) is not None}
    settings = trials_allowed(method_search, {number: row.seconds_total for (number, at), row in own.items() if not at})
    proposed = tuple(own[number, 0] for number in range(settings) if (number, 0) in own)
    racing, rounds = _finished(proposed), len(method_search.rounds)
    if len(proposed) < settings:
        left = settings - len(proposed) + _runs_to_come(method_search, settings, rounds - 1)
        return Standing(proposed, (), settings, (), left, _choose(method_search, racing))
    others: list[Contender] = []
    raced: list[TrialRow] = []
    due: list[tuple[int, int]] = []
    left = 0
    for number in range(1, rounds):
        promoted = _promoted(method_search, racing)
        numbers = {one.trial.number for one in promoted}
        others += [one for one in racing if one.trial.number not in numbers]
        runs = [(one, own.get((one.trial.number, number))) for one in promoted]
        raced += [run for _, run in runs if run is not None]
        due = [(one.trial.number, number) for one, run in runs if run is None]
        racing = [replace(one, runs=(*one.runs, run)) for one, run in runs if run is not None and _is_done(run)]
        if due:
            others += [one for one, run in runs if run is None]
            left = len(due) + _runs_to_come(method_search, len(promoted), rounds - number - 1)
            break
    return Standing(proposed, tuple(raced), settings, tuple(due), left, _choose(method_search, [*racing, *others]))


def round_of(row: TrialRow, method_search: MethodSearch) -> int | None:
    """Return the round of a trial in a method search; None if it is none of this search's."""
    if row.method_search != method_search.fingerprint:
        return None
    if not row.round:
        return 0
    seeds = tuple(row.training_seeds)
    return next((number for number, its in enumerate(method_search.rounds) if number and its == seeds), None)


def trials_allowed(method_search: MethodSearch, seconds: Mapping[int, float]) -> int:
    """Return how many trials round 0 has; all that are planned, for as long as the seconds do not say otherwise.

    Trial n is proposed while trials 0 ... n-1-window took less than round 0's share of `search.seconds`: a rule of
    the trials in order, so that a continued search ends at the same one.

    Args:
        seconds: of the trials of round 0 that have ended, by number.
    """
    search = method_search.study.search
    if search.seconds is None:
        return method_search.trials
    share_s, spent_s = search.seconds * _share_of_round_0(method_search), 0.0
    for number in range(method_search.trials):
        last = number - 1 - search.window
        if last >= 0:
            if last not in seconds:
                break
            spent_s += seconds[last]
        if spent_s >= share_s:
            return number
    return method_search.trials


def _share_of_round_0(method_search: MethodSearch) -> float:
    """Return the part of all runs that are round 0's, of many settings."""
    racing, (first, *later) = method_search.study.search.racing, method_search.rounds
    if racing is None:
        return 1.0
    further = sum(1 / racing.reduction**number for number in range(1, len(later) + 1))
    return float(len(first) / (len(first) + further))


def _finished(trials: Iterable[TrialRow]) -> list[Contender]:
    """Return the distinct settings that ran to the end, each by its first trial."""
    distinct: dict[str, TrialRow] = {}
    for trial in trials:
        distinct.setdefault(trial.setting, trial)
    return [Contender(trial, (trial,)) for trial in distinct.values() if _is_done(trial)]


def _is_done(row: TrialRow) -> bool:
    return row.status == "done" and row.gap is not None


def _curve(run: TrialRow) -> list[Sequence[float]]:
    """Return the gaps of each epoch, one a seed; none unless the study keeps the best epoch."""
    values, seeds = run.gap_per_epoch or [], len(run.training_seeds)
    return [values[at : at + seeds] for at in range(0, len(values), seeds)]


def _promoted(method_search: MethodSearch, racing: Sequence[Contender]) -> list[Contender]:
    """Return the settings that run in the next round, the best first; a single one has nothing left to win."""
    search = method_search.study.search
    ordered = sorted(racing, key=lambda one: one.trial.number)
    ranked = promising_first(search, [one.point(search.objectives) for one in ordered])
    return [ordered[index] for index in ranked[: _kept(method_search, len(ranked))]]


def _kept(method_search: MethodSearch, settings: int) -> int:
    racing = method_search.study.search.racing
    if racing is None or settings < 2:
        return 0
    return max(2, math.ceil(settings / racing.reduction))


def _runs_to_come(method_search: MethodSearch, settings: int, rounds: int) -> int:
    runs = 0
    for _ in range(rounds):
        settings = _kept(method_search, settings)
        runs += settings
    return runs


def _choose(method_search: MethodSearch, contenders: Sequence[Contender]) -> Contender | None:
    """Choose among the settings that ran on most seeds; the earlier one of two that are equal."""
    search = method_search.study.search
    most = max((len(one.gaps) for one in contenders), default=0)
    rivals = sorted((one for one in contenders if len(one.gaps) == most), key=lambda one: one.trial.number)
    points = [one.point(search.objectives) for one in rivals]
    steady = search.choose == "mean_plus_sd"
    firsts = [one.mean_plus_sd if steady else point[0] for one, point in zip(rivals, points, strict=True)]
    found = chosen_of(search, points, firsts)
    return None if found is None else rivals[found]
