"""Joins a running cluster in a process that can be killed, before this one does.

Ray lets nobody join a node before a first worker is up there: for ever, if that one died, ignoring signals. Only the
first to join is affected.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Final

from lethe.execution import _ray_private
from lethe.execution.failures import ClusterFailedError

JOIN_S: Final = 120.0
"""How long joining a cluster that answers may take; it takes seconds."""

TRIES: Final = 3

_JOIN: Final = """
import sys
import ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
ray.shutdown()
"""


def rehearse(head: str, say: Callable[[str], None]) -> None:
    """Join a cluster and leave it, again if that fails.

    Args:
        head: its ``HOST:PORT``.
        say: called with a sentence when it is tried again.

    Raises:
        ClusterFailedError: it could not be joined, however often it was tried.
    """
    environment = _ray_private.environment_without_job()
    for count in range(1, TRIES + 1):
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", _JOIN, head],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                env=environment,
                start_new_session=True,
                timeout=JOIN_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            why = f"that took longer than {JOIN_S:g} s"
        else:
            if done.returncode == 0:
                return
            why = (done.stderr.strip() or f"Ray ended with code {done.returncode}").splitlines()[-1]
        if count < TRIES:
            say(
                f"The Ray cluster {head} answers and could not be joined: {why}. Trying again ({count + 1} of {TRIES})."
            )
    raise ClusterFailedError(f"the Ray cluster {head} answers and could not be joined in {TRIES} attempts: {why}")
