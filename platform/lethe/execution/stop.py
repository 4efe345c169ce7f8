"""The request to stop: made by a signal or by a run that lost its storage root, seen by whatever schedules work."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from lethe.errors import LetheError

ADVICE: Final = b"\nStopping: running epochs finish first. Once more stops at once.\n"


class InterruptedStudyError(LetheError):
    """A study that was stopped before its end; what had finished is kept."""


class Stop:
    """The request to stop; whatever schedules work checks it between two steps.

    Attributes:
        reason: why, in a sentence; empty where a person asked.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.reason = ""

    @property
    def requested(self) -> bool:
        """Whether no new step may begin."""
        return self._asked.is_set()

    def request(self, reason: str = "") -> None:
        """Ask that no new step begins."""
        if not self.requested:
            self.reason = reason
            self._asked.set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond the request; return whether there is one."""
        return self._asked.wait(seconds)


@contextmanager
def stopping_on_signals(stop: Stop) -> Iterator[None]:
    """Ask for the stop on the first SIGINT or SIGTERM; on the next one raise KeyboardInterrupt wherever the code is.

    Entered after Ray has set its own SIGTERM handler, which aborts. In a thread other than the main one nothing is set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heard(number: int, frame: FrameType | None) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.request()
        with suppress(OSError):  # nobody may be listening; raised here, it would be an error of whatever runs now
            os.write(2, ADVICE)

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
