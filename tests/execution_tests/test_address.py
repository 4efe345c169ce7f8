"""Addresses of heads that cannot be right are refused in one sentence."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lethe.execution._address import WORKER_PORTS, find_head
from lethe.execution.failures import ClusterError


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1", "127.0.0.1:x"])
def test_an_address_without_a_port_that_can_be_is_refused(address: str) -> None:
    with pytest.raises(ClusterError, match=r"wanted auto or HOST:PORT, .* with a port of at most 65535"):
        find_head(address)


def test_a_head_port_among_those_of_rays_workers_is_named_as_what_it_is() -> None:
    with pytest.raises(ClusterError, match=r"nobody answers .*ports 10002 to 19999 are those of Ray's workers"):
        find_head("127.0.0.1:10050")


@pytest.fixture
def closing_port() -> Iterator[int]:
    """A port among those of Ray's workers where somebody takes up the phone and hangs up."""
    with socket.socket() as server:
        for port in WORKER_PORTS:
            with suppress(OSError):
                server.bind(("127.0.0.1", port))
                break
        server.listen()

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield port
        server.shutdown(socket.SHUT_RDWR)


def test_something_else_on_a_port_of_rays_workers_is_named_so_too(closing_port: int) -> None:
    with pytest.raises(ClusterError, match=r"no Ray head .*6379.*those of Ray's workers"):
        find_head(f"127.0.0.1:{closing_port}")
