"""The request to stop: whoever asks for it, and whether or not somebody reads that it was heard."""

import os
import signal
from collections.abc import Iterator

import pytest

from lethe.execution.stop import Stop, stopping_on_signals


@pytest.fixture
def unread() -> Iterator[None]:
    """Standard error is a pipe whose reader has ended."""
    kept = os.dup(2)
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 2)
    os.close(writer)
    yield
    os.dup2(kept, 2)
    os.close(kept)


def test_a_signal_that_nobody_reads_of_asks_for_the_stop_and_raises_nothing(unread: None) -> None:
    stop = Stop()
    with stopping_on_signals(stop):
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_the_reason_is_that_of_the_first_request() -> None:
    stop = Stop()
    stop.request("The study's lock was removed.")
    stop.request()
    assert (stop.requested, stop.reason) == (True, "The study's lock was removed.")
