"""How far a run is: a small file for each study, which the run writes anew every few seconds and others read.

It decides nothing, so it may be missing, old or broken.
"""

from contextlib import suppress
from typing import Literal

from lethe.results import durations
from lethe.storage.documents import Document, MalformedError, read_json
from lethe.storage.layout import Layout, progress_name
from lethe.storage.root import StorageError, StorageRoot, UnfitFileError

LIMIT_BYTES = 1 << 20


class Part(Document):
    """Units of one kind of work: all that there are, and those that have ended."""

    done: int
    total: int


class Best(Document):
    """The smallest gap that the search of a scenario has found, and that of doing nothing, as fractions."""

    scenario: str
    method: str
    gap: float
    original_gap: float | None

    @property
    def in_words(self) -> str:
        """Write the gap beside what it is measured against."""
        untouched = "" if self.original_gap is None else f" (doing nothing {100 * self.original_gap:.1f} %)"
        return f"best gap {100 * self.gap:.1f} %{untouched}"


class RunProgress(Document):
    """How far a run is.

    Attributes:
        share: of the whole run's work, by its expected cost.
        running: trials that have begun.
        failed: trials that failed or diverged.
        seconds_left: of all work; None before enough of it is done to tell.
        ended: how the run ended; None while it goes on.
    """

    study: str
    artifacts: Part
    trials: Part
    confirmations: Part
    share: float
    running: int
    failed: int
    seconds_left: float | None
    best: tuple[Best, ...]
    ended: Literal["finished", "stopped"] | None

    @property
    def line(self) -> str:
        """Write it in one line."""
        parts = [f"{100 * self.share:.0f} %"]
        counted = {"artifacts": self.artifacts, "trials": self.trials, "confirmed": self.confirmations}
        parts += [f"{name} {part.done}/{part.total}" for name, part in counted.items() if part.total]
        if self.running:
            parts.append(f"{self.running} running")
        if self.failed:
            parts.append(f"{self.failed} failed or diverged")
        if self.best:
            parts.append(min(self.best, key=lambda one: one.gap).in_words)
        if self.seconds_left is not None:
            parts.append(f"about {durations.estimated(self.seconds_left)} left")
        return " · ".join(parts)


def write_progress(root: StorageRoot, progress: RunProgress) -> None:
    """Write a study's file; where that fails the old one stays, since whatever else fails to be written is an error."""
    with suppress(StorageError):
        Layout(root).progress.write(progress_name(progress.study), progress.model_dump_json(indent=1).encode())


def read_progress(root: StorageRoot, study: str | None = None) -> list[RunProgress]:
    """Read the files of a study or of all, by name; one that cannot be read is left out.

    Raises:
        StorageError: the folder cannot be listed.
    """
    folder = Layout(root).progress
    names = folder.names(suffix=".json") if study is None else [progress_name(study)]
    found = []
    for name in sorted(names):
        with suppress(FileNotFoundError, MalformedError, UnfitFileError):
            found.append(read_json(RunProgress, folder.read(name, LIMIT_BYTES)))
    return found
