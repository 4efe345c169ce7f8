"""The report page and the progress of runs as they are now: made anew when files among the results have changed."""

import gzip
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypedDict

from lethe.errors import LetheError
from lethe.report.page import render_page
from lethe.results import durations
from lethe.results.progress import RunProgress, read_progress
from lethe.storage.layout import Layout
from lethe.storage.root import StorageRoot

_LIVE: Final = '<meta name="lethe-live">'
_SHOWING: Final = '<meta name="lethe-live" content="{state}">'
"""The page's own state: with it, the page misses nothing that arrived while it was rendered."""

LOOK_EVERY_S: Final = 1.0
_SHARE: Final = 0.25
"""Largest share of the time spent rendering, where results arrive faster than the page can be rendered."""
_GZIP_LEVEL: Final = 5

SILENT_S: Final = 60.0
"""Seconds without a change after which a run may have died."""


class ClosedError(LetheError):
    """A report that is asked for after it was closed."""


@dataclass(frozen=True)
class LivePage:
    """A page as it is sent: its bytes, and the same compressed."""

    plain: bytes
    gzipped: bytes


class Shown(TypedDict):
    """How far a run is, as the page shows it.

    Attributes:
        share: of the run's work, in [0, 1].
        best: of each scenario, its title and the smallest gap so far in words.
    """

    study: str
    share: float
    line: str
    best: list[tuple[str, str]]


def shown(run: RunProgress, silent_s: float) -> Shown:
    """Return how far a run is, as the page shows it.

    Args:
        silent_s: for how long nothing has changed.
    """
    line = run.line
    if run.ended:
        line += " · stopped"
    elif silent_s >= SILENT_S:
        line += f" · nothing new for {durations.estimated(silent_s // SILENT_S * SILENT_S)}"
    return {
        "study": run.study,
        "share": run.share,
        "line": line,
        "best": [(one.scenario, f"{one.method}: {one.in_words}") for one in run.best],
    }


class LiveReport:
    """The report page of the current results; safe to use from several threads.

    Args:
        place: the results; nothing is written to them.
        study: one study; all if None.
        images: whether the forget samples are shown with their pictures.
    """

    def __init__(self, root: StorageRoot, study: str | None = None, *, images: bool = True) -> None:
        self.root = root
        self.study = study
        self.images = images
        self._looking = threading.Lock()
        self._look_at = float("-inf")
        self._state = ""
        self._progress_at = float("-inf")
        self._news: dict[str, tuple[RunProgress, float]] = {}
        """The progress of each study, and when it became that."""
        self._rendering = threading.Lock()
        self._rendering_s = 0.0
        self._shown: tuple[str, LivePage] | None = None
        self._closed = False

    def state(self) -> str:
        """Return a text that changes when a file of the tables does.

        The files are listed once a second at most, and less often where a page takes long to render: the machine may be
        the one that the study runs on.

        Raises:
            StorageError: the results cannot be read.
            ClosedError: the report was closed.
        """
        with self._looking:
            if self._closed:
                raise ClosedError("The server has ended.")
            if time.monotonic() >= self._look_at:
                self._state = self._look()
                self._look_at = time.monotonic() + max(LOOK_EVERY_S, self._rendering_s / _SHARE)
            return self._state

    def progress(self) -> list[Shown]:
        """Return how far each run is, by the study's name; runs that have finished are left out.

        Raises:
            StorageError: the results cannot be read.
            ClosedError: the report was closed.
        """
        with self._looking:
            if self._closed:
                raise ClosedError("The server has ended.")
            now = time.monotonic()
            if now >= self._progress_at:
                for run in read_progress(self.root, self.study):
                    if run.study not in self._news or self._news[run.study][0] != run:
                        self._news[run.study] = run, now
                self._progress_at = now + LOOK_EVERY_S
            going_on = [(run, now - since) for run, since in self._news.values() if run.ended != "finished"]
            return [shown(run, silent_s) for run, silent_s in going_on]

    def page(self) -> LivePage:
        """Return the page, rendered anew if the state has changed; one thread renders it, others wait for it.

        Raises:
            QueryError: there are no results yet.
            SchemaError: a newer Lethe wrote a part.
            StorageError: the results cannot be read.
            ClosedError: the report was closed.
        """
        with self._rendering:
            state = self.state()
            if self._shown is None or self._shown[0] != state:
                began = time.monotonic()
                self._shown = state, self._render(state)
                self._rendering_s = time.monotonic() - began
            return self._shown[1]

    def close(self) -> None:
        """Wait for what is being rendered, and render nothing more.

        The threads that ask end with the process, which must not find them in the middle of DuckDB's or Arrow's code.
        """
        with self._rendering, self._looking:
            self._closed = True

    def _render(self, state: str) -> LivePage:
        page = render_page(self.root, self.study, images=self.images, live=True).html
        plain = page.replace(_LIVE, _SHOWING.format(state=state), 1).encode()
        return LivePage(plain, gzip.compress(plain, _GZIP_LEVEL))

    def _look(self) -> str:
        stamps = Layout(self.root).tables.stamps(recursive=True)
        seen = sha256()
        for name, stamp in sorted(stamps.items()):
            if self.study is None or self.study in name.split("/")[1:2]:
                seen.update(f"{name}\n{stamp}\n".encode())
        return seen.hexdigest()[:20]
