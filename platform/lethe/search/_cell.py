"""The search of one cell: an Optuna study that proposes settings and is told, in order, how they ended.

The n-th setting depends only on the study's seed and on the results of trials 0 ... n-1-window: the sampler is made new
from a seed of its own for every proposal, and results are told in the order of their numbers, however they come in. The
same search therefore repeats on any cluster and after any kill. With early stopping results are told as they come.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from lethe.study import Cell, Choices
from unlearning.seeds import derive

Setting = dict[str, Any]

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True, constant_liar=True),
    "random": lambda seed: RandomSampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed),
}
"""Optuna samplers that know nothing beyond the trials told, so that a fresh one continues where another stopped."""


@dataclass(frozen=True)
class Proposal:
    """The ``number``-th setting of a cell.

    Attributes:
        repeats: the number of the trial that had the same setting first; None for a new setting.
    """

    cell: Cell
    number: int
    setting: Setting
    repeats: int | None = None


@dataclass(frozen=True)
class Ending:
    """How a trial ended, as Optuna is to learn it: done is COMPLETE, stopped PRUNED, anything else FAIL.

    Attributes:
        gaps: the objective after each epoch.
    """

    status: str
    gaps: tuple[float, ...]


optuna.logging.set_verbosity(optuna.logging.WARNING)


class CellSearch:
    """Proposes the settings of one cell and learns from their endings.

    Args:
        known: trials that an earlier run finished, by number: setting and ending.
        tell_dashboard: called with every trial that Optuna was told of, in the order of telling.
    """

    def __init__(
        self,
        cell: Cell,
        known: Mapping[int, tuple[Setting, Ending]],
        tell_dashboard: Callable[[FrozenTrial], None] = lambda trial: None,
    ) -> None:
        self.cell = cell
        self._distributions = distributions_of(cell)
        self._study = optuna.create_study(direction="minimize", sampler=RandomSampler())
        self._known = dict(known)
        self._tell_dashboard = tell_dashboard
        self._asked: list[Trial] = []
        self._endings: dict[int, Ending] = {}
        self._ended = 0
        """Trials 0 ... _ended-1 have all ended."""
        self._told = 0
        """Trials 0 ... _told-1 have been told in order."""
        self._first: dict[str, int] = {}

    @property
    def finished(self) -> bool:
        """Tell whether every planned trial has ended."""
        return len(self._endings) >= self.cell.trials

    def propose(self) -> Proposal | None:
        """Give the next trial; None if none is due before another one ends, or none is left.

        Trials that an earlier run finished are passed over on the way.
        """
        while len(self._asked) < self.cell.trials and self._due(len(self._asked)):
            number = len(self._asked)
            self._tell_until(number - self._window)
            setting = self._ask(number)
            first = self._first.setdefault(json.dumps(setting, sort_keys=True), number)
            if number not in self._known:
                return Proposal(self.cell, number, setting, None if first == number else first)
            self.settle(number, self._known[number][1])
        return None

    def settle(self, number: int, ending: Ending) -> None:
        """Learn how a trial ended."""
        self._endings[number] = ending
        while self._ended in self._endings:
            self._ended += 1
        if not self._in_order:
            self._tell(number)
        elif self.finished:
            self._tell_until(self.cell.trials)

    @property
    def _window(self) -> int:
        return self.cell.study.search.window

    @property
    def _in_order(self) -> bool:
        return self.cell.study.search.early_stopping is None

    def _due(self, number: int) -> bool:
        if self._in_order:
            return self._ended >= number - self._window
        return len(self._asked) - len(self._endings) <= self._window

    def _ask(self, number: int) -> Setting:
        if number in self._known:
            self._study.enqueue_trial(self._known[number][0])
            self._study.sampler = RandomSampler()
        else:
            seed = derive(self.cell.study.seed, "search", self.cell.fingerprint, number)
            self._study.sampler = SAMPLERS[self.cell.study.search.sampler](seed % 2**32)
        trial = self._study.ask(self._distributions)
        self._asked.append(trial)
        return dict(trial.params)

    def _tell_until(self, number: int) -> None:
        """Tell of the trials before this one, in order; where order does not count, each was told when it ended."""
        while self._in_order and self._told < number:
            self._tell(self._told)
            self._told += 1

    def _tell(self, number: int) -> None:
        trial, ending = self._asked[number], self._endings[number]
        for epoch, gap in enumerate(ending.gaps, start=1):
            trial.report(gap, epoch)
        if ending.status == "done":
            told = self._study.tell(trial, ending.gaps[-1])
        else:
            told = self._study.tell(trial, state=TrialState.PRUNED if ending.status == "stopped" else TrialState.FAIL)
        self._tell_dashboard(told)


def distributions_of(cell: Cell) -> dict[str, BaseDistribution]:
    """Give the searched options of a cell as Optuna knows them, by name."""
    choice = cell.choice
    return {name: _distribution(dimension, choice.is_whole(name)) for name, dimension in choice.search.items()}


def _distribution(dimension: object, whole: bool) -> BaseDistribution:
    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.choices)
    low, high, log = dimension.low, dimension.high, dimension.log  # type: ignore[attr-defined]
    return IntDistribution(int(low), int(high), log=log) if whole else FloatDistribution(low, high, log=log)
