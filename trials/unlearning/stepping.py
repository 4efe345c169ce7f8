"""A function that runs in a thread of its own, step by step: it waits after each step until its caller goes on.

Code that calls a training function of somebody else's cannot make it yield. So the function calls `Stepped.pause` where
a step ends, also from deep inside a library of its own, and whoever iterates over the steps sees them one by one.
"""

import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Stepped(Generic[Result]):
    """One run of a function. Of the two threads one computes at a time, so what they share needs no lock.

    Args:
        function: calls `pause` in the thread that it is called in.

    Attributes:
        stopped: whether the caller wants no more.
    """

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._go, self._waiting = threading.Semaphore(0), threading.Semaphore(0)
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._ended = self.stopped = False

    def steps(self) -> Generator[None, None, Result]:
        """Run the function; yield where it pauses, and return what it returns.

        Closed at a step, it ends the function there by a ``SystemExit`` in its thread, and waits for that.

        Raises:
            BaseException: what the function raises.
        """
        thread = threading.Thread(target=self._run, name="lethe-own-code", daemon=True)
        thread.start()
        while True:
            self._waiting.acquire()
            if self._ended:
                break
            try:
                yield
            except GeneratorExit:
                self.stopped = True
                self._go.release()
                thread.join()
                raise
            self._go.release()
        thread.join()
        if self._error is not None:
            raise self._error
        [result] = self._results
        return result

    def pause(self) -> None:
        """End a step, and wait for the caller.

        Raises:
            SystemExit: the caller wants no more.
        """
        if not self.stopped:
            self._waiting.release()
            self._go.acquire()
        if self.stopped:
            raise SystemExit

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:
            self._error = error
        self._ended = True
        self._waiting.release()
