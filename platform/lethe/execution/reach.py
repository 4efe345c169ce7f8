"""Whether somebody listens at an address."""

import socket

KNOCK_S = 5.0


def knock(host: str, port: int) -> None:
    """Open a TCP connection and close it again.

    Raises:
        OSError: nobody listens there, or nothing answers in `KNOCK_S` seconds.
    """
    socket.create_connection((host, port), KNOCK_S).close()
