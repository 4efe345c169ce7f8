"""What a person sees while a study runs: a bar over the whole run on a terminal, a plain line from time to time
elsewhere, and a file among the results that `lethe watch` shows."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from lethe.results.progress import Best, Part, RunProgress

QUIET_S: Final = 10.0
"""Seconds between two plain lines."""

RECORD_S: Final = 2.0
"""Seconds between two recordings."""

TELLING: Final = 0.03
"""Share of a run's work that must be done before its speed says how long the rest takes."""

BAR: Final = 50
"""Characters."""


@dataclass(frozen=True)
class Stage:
    """One kind of work of a run.

    Attributes:
        done, total: units.
        already: those that were done before the run.
        each: the work of a unit; the stages' units are alike.
    """

    done: int = 0
    total: int = 0
    already: int = 0
    each: float = 1.0

    @property
    def part(self) -> Part:
        """The stage as it is recorded."""
        return Part(done=self.done, total=self.total)


@dataclass(frozen=True)
class State:
    """The progress of a run.

    Attributes:
        running, failed: trials.
        best: of each scenario, the smallest gap so far.
        began: when the first unit of this run began, on this process's monotonic clock.
    """

    artifacts: Stage = Stage()
    trials: Stage = Stage()
    confirmations: Stage = Stage()
    running: int = 0
    failed: int = 0
    best: tuple[Best, ...] = ()
    began: float = field(default_factory=time.monotonic)

    @property
    def _stages(self) -> tuple[Stage, ...]:
        return self.artifacts, self.trials, self.confirmations

    @property
    def share(self) -> float:
        """The share of the whole run's work that is done, in [0, 1]."""
        total = sum(stage.each * stage.total for stage in self._stages)
        return sum(stage.each * stage.done for stage in self._stages) / total if total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest of all stages takes at this run's speed so far; None before that can be told, and at the
        end."""
        fresh = sum(stage.each * (stage.done - stage.already) for stage in self._stages)
        left = sum(stage.each * (stage.total - stage.done) for stage in self._stages)
        if left <= 0 or fresh < TELLING * (fresh + left):
            return None
        return (time.monotonic() - self.began) / fresh * left

    def recorded(self, study: str) -> RunProgress:
        """Return it as others read it."""
        return RunProgress(
            study=study,
            artifacts=self.artifacts.part,
            trials=self.trials.part,
            confirmations=self.confirmations.part,
            share=self.share,
            running=self.running,
            failed=self.failed,
            seconds_left=self.seconds_left,
            best=self.best,
            ended=None,
        )


class Progress:
    """Follows a study on a console; use it as a context.

    Args:
        console: live when it is a terminal, line-based otherwise.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.RLock()
        """Held by whoever changes the state: the search, and the thread that builds artifacts during it."""
        self._state = State()
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._said_at = -QUIET_S
        self._recorded_at = -RECORD_S
        self._record: Callable[[RunProgress], None] | None = None
        self._study = ""
        self._clock: Callable[[], float] = time.monotonic

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        if self._record:
            run = self._state.recorded(self._study)
            self._record(run.model_copy(update={"ended": "stopped" if kind else "finished"}))

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(text), soft_wrap=True)

    def begin(
        self, study: str, artifacts: Stage, trials: Stage, confirmations: Stage, record: Callable[[RunProgress], None]
    ) -> None:
        """Begin a run.

        Args:
            record: called from time to time with how far the run is, and at its end.
        """
        with self._lock:
            self._study, self._record = study, record
            self._state = State(artifacts, trials, confirmations)
            self._show(now=True)

    def built(self, done: int, known: int) -> None:
        """Show how many of the missing artifacts are built; that goes on during the search.

        Args:
            known: how many are missing, as far as is known: a setting that is found may need more than was planned.
        """
        with self._lock:
            total = max(known, self._state.artifacts.total)
            self._change(artifacts=replace(self._state.artifacts, done=done, total=total))

    def searched(self, done: int, total: int, running: int, failed: int, best: Sequence[Best]) -> None:
        """Show how far the search is."""
        with self._lock:
            trials = replace(self._state.trials, done=done, total=total)
            self._change(trials=trials, running=running, failed=failed, best=tuple(best))

    def confirmed(self, done: int, total: int) -> None:
        """Show how many of the rows that this run confirms are confirmed."""
        with self._lock:
            self._change(confirmations=replace(self._state.confirmations, done=done, total=total), running=0)

    def _change(self, **changes: object) -> None:
        self._state = replace(self._state, **changes)  # type: ignore[arg-type]
        self._show(now=self._state.share >= 1)

    def _show(self, now: bool) -> None:
        run, at = self._state.recorded(self._study), self._clock()
        if self._record and (now or at - self._recorded_at >= RECORD_S):
            self._recorded_at = at
            self._record(run)
        if self._live:
            self._live.update(Group(ProgressBar(total=1.0, completed=run.share, width=BAR), Text(run.line)))
        elif now or at - self._said_at >= QUIET_S:
            self._said_at = at
            self.say(run.line)
