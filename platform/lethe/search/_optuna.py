"""The search of one method: an Optuna study that proposes settings and is told, in order, how they ended.

The n-th setting depends only on the study's seed and on the results of trials 0 ... n-1-window: the sampler is made new
from a seed of its own for every proposal, and results are told in the order of their numbers, however they come in. The
same search therefore repeats on any cluster and after any kill. With early stopping results are told as they come.

The first settings are those that other searches chose, if the study asks for them; then come start-up draws, until the
sampler has learnt of ``search.startup`` trials more; then its model proposes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from lethe.results.objectives import Point
from lethe.results.race import trials_allowed
from lethe.results.rows import ProposedBy
from lethe.search._space import Setting, distributions_of, startup_setting
from lethe.study import MethodSearch
from unlearning.seeds import derive

SAMPLERS: Final[dict[str, Callable[[int], BaseSampler]]] = {
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=0),
    "random": lambda seed: RandomSampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed, n_startup_trials=0),
}
"""Optuna samplers without state beyond the recorded trials, so that a fresh one continues where another stopped."""

LEARNS_FROM: Final = {"tpe": (TrialState.COMPLETE, TrialState.PRUNED), "gp": (TrialState.COMPLETE,)}
"""The trials that a sampler's model rests on; a sampler without a model is not named."""

WORST: Final = 1.0
"""What Optuna learns of a trial that diverged, of each objective: no difference between fractions is larger, and who
trains as much as a retraining does need not unlearn."""


@dataclass(frozen=True)
class Proposal:
    """The ``number``-th setting of a method search.

    Attributes:
        proposed_by: what chose the setting.
        repeats: the number of the trial that had the same setting first; None for a new setting.
        round: of the race: 0 for a new setting, else which run of this setting on a further tuning seed.
    """

    method_search: MethodSearch
    number: int
    setting: Setting
    proposed_by: ProposedBy
    repeats: int | None = None
    round: int = 0

    @property
    def seeds(self) -> tuple[int, ...]:
        """The training seeds that the setting runs on."""
        return self.method_search.rounds[self.round]

    @property
    def prior_from(self) -> str | None:
        """Where a setting that another search chose is from."""
        return self.method_search.priors[self.number].source if self.proposed_by == "prior" else None


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Attributes:
        gaps: the gap after each epoch; None where it was not measured.
        seconds: what the trial took; they matter where a search has a budget of seconds.
        counted: the objectives in the epoch that counts; None: the gap after the last one alone.
    """

    status: str
    gaps: tuple[float | None, ...]
    seconds: float = 0.0
    counted: Point | None = None

    @property
    def point(self) -> Point | None:
        """The objectives; None where there are none."""
        return self.counted or tuple(gap for gap in self.gaps if gap is not None)[-1:] or None


def as_optuna_learns(status: str, point: Point | None, objectives: int) -> tuple[TrialState, Point | None]:
    """Return the state and the values by which Optuna learns of a trial.

    A diverged trial is COMPLETE with the worst values: samplers leave FAIL out and would go on proposing what diverges.
    A failed trial is FAIL: an error says nothing of its setting.

    Args:
        point: the objectives in the epoch that counts; None without any.
        objectives: how many there are.
    """
    match status:
        case "done":
            return TrialState.COMPLETE, point
        case "diverged":
            return TrialState.COMPLETE, (WORST,) * objectives
        case "stopped":
            return TrialState.PRUNED, None
    return TrialState.FAIL, None


optuna.logging.set_verbosity(optuna.logging.WARNING)


class OptunaSearch:
    """Proposes the settings of one method search and learns from their outcomes.

    Args:
        known: trials that an earlier run finished, by number: setting and outcome.
        tell_dashboard: called with every trial that Optuna was told of, in the order of telling.
    """

    def __init__(
        self,
        method_search: MethodSearch,
        known: Mapping[int, tuple[Setting, Outcome]],
        tell_dashboard: Callable[[FrozenTrial], None] = lambda trial: None,
    ) -> None:
        self.method_search = method_search
        self._distributions = distributions_of(method_search)
        self._objectives = len(method_search.study.search.objectives)
        self._study = optuna.create_study(directions=["minimize"] * self._objectives, sampler=RandomSampler())
        self._known = dict(known)
        self._tell_dashboard = tell_dashboard
        self._asked: list[Trial] = []
        self._outcomes: dict[int, Outcome] = {}
        self._seconds: dict[int, float] = {}
        self._ended = 0
        """Trials 0 ... _ended-1 have all ended."""
        self._told = 0
        """Trials 0 ... _told-1 have been told in order."""
        self._learnt = 0
        """Trials that the sampler's model rests on."""
        self._first: dict[str, int] = {}

    @property
    def finished(self) -> bool:
        """Return whether every planned trial has ended."""
        return len(self._outcomes) >= self._planned

    def propose(self) -> Proposal | None:
        """Return the next trial; None if none is due before another one ends, or none is left.

        Trials that an earlier run finished are passed over on the way.
        """
        while self._due(len(self._asked)) and len(self._asked) < self._planned:
            number = len(self._asked)
            self._tell_until(number - self._window)
            proposed_by = self._proposer(number)
            setting = self._ask(number, proposed_by)
            first = self._first.setdefault(json.dumps(setting, sort_keys=True), number)
            if number not in self._known:
                return Proposal(self.method_search, number, setting, proposed_by, None if first == number else first)
            self.settle(number, self._known[number][1])
        return None

    def settle(self, number: int, outcome: Outcome) -> None:
        """Record how a trial ended."""
        self._outcomes[number], self._seconds[number] = outcome, outcome.seconds
        while self._ended in self._outcomes:
            self._ended += 1
        if not self._in_order:
            self._tell(number)
        elif self.finished:
            self._tell_until(self._planned)

    @property
    def _planned(self) -> int:
        return trials_allowed(self.method_search, self._seconds)

    @property
    def _window(self) -> int:
        return self.method_search.study.search.window

    @property
    def _in_order(self) -> bool:
        return self.method_search.study.search.early_stopping is None

    def _due(self, number: int) -> bool:
        if self._in_order:
            return self._ended >= number - self._window
        return len(self._asked) - len(self._outcomes) <= self._window

    def _proposer(self, number: int) -> ProposedBy:
        search = self.method_search.study.search
        if not self._distributions:
            return "fixed"
        if number < len(self.method_search.priors):
            return "prior"
        if search.sampler not in LEARNS_FROM:
            return "random"
        return "model" if self._learnt >= len(self.method_search.priors) + search.startup else "startup"

    def _ask(self, number: int, proposed_by: ProposedBy) -> Setting:
        if number in self._known:
            self._enqueue(self._known[number][0])
        elif proposed_by == "startup":
            self._enqueue(startup_setting(self.method_search, number - len(self.method_search.priors)))
        elif proposed_by == "prior":
            self._enqueue(dict(self.method_search.priors[number].setting))
        else:
            seed = derive(self.method_search.study.seed, "search", self.method_search.stream, number)
            self._study.sampler = SAMPLERS[self.method_search.study.search.sampler](seed % 2**32)
        trial = self._study.ask(self._distributions)
        self._asked.append(trial)
        return dict(trial.params)

    def _enqueue(self, setting: Setting) -> None:
        self._study.enqueue_trial(setting)
        self._study.sampler = RandomSampler()

    def _tell_until(self, number: int) -> None:
        """Report to Optuna the trials before this one, in order; without an order each was told when it ended."""
        while self._in_order and self._told < number:
            self._tell(self._told)
            self._told += 1

    def _tell(self, number: int) -> None:
        trial, outcome = self._asked[number], self._outcomes[number]
        # Optuna takes intermediate values of a single objective alone.
        for epoch, gap in enumerate(outcome.gaps if self._objectives == 1 else (), start=1):
            if gap is not None:
                trial.report(gap, epoch)
        state, point = as_optuna_learns(outcome.status, outcome.point, self._objectives)
        trial.set_user_attr("status", outcome.status)
        self._tell_dashboard(self._study.tell(trial, point, state))
        self._learnt += state in LEARNS_FROM.get(self.method_search.study.search.sampler, ())
