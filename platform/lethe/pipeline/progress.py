"""What a person sees while a study runs: one live line on a terminal, a plain line from time to time elsewhere."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lethe.results import durations

QUIET_S = 10.0
"""Seconds between two plain lines about the same stage."""


@dataclass
class State:
    """The progress of a study."""

    stage: str = "training"
    done: int = 0
    total: int = 0
    running: int = 0
    failed: int = 0
    best_gap: float | None = None
    untouched_gap: float | None = None
    began: float | None = field(default_factory=time.monotonic)
    already: int = 0
    models_made: int = 0
    models_missing: int = 0

    def line(self) -> str:
        """Return the state in one line."""
        parts = [self.stage]
        if self.models_made < self.models_missing:
            parts.append(f"artifacts {self.models_made}/{self.models_missing}")
        if self.total:
            parts.append(f"{self.done}/{self.total} done")
        if self.running:
            parts.append(f"{self.running} running")
        if self.failed:
            parts.append(f"{self.failed} failed or diverged")
        if self.best_gap is not None:
            untouched = "" if self.untouched_gap is None else f" (doing nothing {100 * self.untouched_gap:.1f} %)"
            parts.append(f"best gap {100 * self.best_gap:.1f} %{untouched}")
        if left := self._seconds_left():
            parts.append(f"about {durations.estimated(left)} left")
        return " · ".join(parts)

    def _seconds_left(self) -> float | None:
        fresh = self.done - self.already
        if self.began is None or fresh <= 0 or self.done >= self.total:
            return None
        return (time.monotonic() - self.began) / fresh * (self.total - self.done)


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

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(text), soft_wrap=True)

    def stage(self, name: str, total: int, done: int = 0) -> None:
        """Begin a stage of ``total`` units, of which ``done`` exist already."""
        with self._lock:
            before = self._state
            self._state = State(name, done, total, already=done)
            self._state.models_made, self._state.models_missing = before.models_made, before.models_missing
            self._show(now=True)

    def models(self, made: int, missing: int) -> None:
        """Show how many of the missing artifacts are built; that goes on during every stage."""
        with self._lock:
            self._state.models_made, self._state.models_missing = made, missing
            self._show(now=False)

    def update(self, **changes: float | int | None) -> None:
        """Change what is known of the stage, by the names of `State`."""
        with self._lock:
            for name, value in changes.items():
                setattr(self._state, name, value)
            self._show(now=self._state.done == self._state.total)

    def _show(self, now: bool) -> None:
        line = self._state.line()
        if self._live:
            self._live.update(Text(line))
            return
        if now or self._clock() - self._said_at >= QUIET_S:
            self._said_at = self._clock()
            self.say(line)
