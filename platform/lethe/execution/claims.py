"""Claims: one worker of a cluster makes an artifact, however many studies ask for it at once.

A claim lasts as long as its holder renews it, or until its holder is known to be dead; the next holder continues from
the checkpoint.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import uuid4

import ray

LEASE_S = 30.0
RENEW_S = 5.0
ASK_S = 0.5


class Claims(Protocol):
    """Grants the making of an artifact to one holder at a time."""

    def claim(self, fingerprint: str, holder: str) -> bool:
        """Ask for an artifact, or renew the claim on it; return whether ``holder`` has it now."""
        ...

    def release(self, fingerprint: str, holder: str) -> None:
        """Release a claim."""
        ...

    def release_all(self, holder: str) -> None:
        """Forget all claims of a holder that is dead."""
        ...


class LocalClaims:
    """The table of claims; by itself it serves one process.

    Args:
        clock: returns seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._held: dict[str, tuple[str, float]] = {}
        self._clock = clock

    def claim(self, fingerprint: str, holder: str) -> bool:
        """Grant the claim unless somebody else holds it and has renewed it lately."""
        now = self._clock()
        owner, renewed = self._held.get(fingerprint, (holder, now))
        if owner != holder and now - renewed < LEASE_S:
            return False
        self._held[fingerprint] = (holder, now)
        return True

    def release(self, fingerprint: str, holder: str) -> None:
        """Forget the claim if it is the holder's."""
        if self._held.get(fingerprint, ("", 0.0))[0] == holder:
            del self._held[fingerprint]

    def release_all(self, holder: str) -> None:
        """Forget the holder's claims."""
        self._held = {name: claim for name, claim in self._held.items() if claim[0] != holder}


class RayClaims:
    """The one table of claims of a Ray cluster, kept by a named actor that outlives the study which asked first.

    If its process or node dies, it restarts with an empty table, which the holders fill as they renew.
    """

    def __init__(self) -> None:
        self._actor: Any = (
            ray.remote(LocalClaims)
            .options(
                name="lethe-claims",
                namespace="lethe",
                get_if_exists=True,
                lifetime="detached",
                num_cpus=0,
                max_restarts=-1,
                max_task_retries=-1,
            )
            .remote()
        )

    def claim(self, fingerprint: str, holder: str) -> bool:
        """Forward to the actor."""
        return bool(ray.get(self._actor.claim.remote(fingerprint, holder)))

    def release(self, fingerprint: str, holder: str) -> None:
        """Forward to the actor."""
        ray.get(self._actor.release.remote(fingerprint, holder))

    def release_all(self, holder: str) -> None:
        """Forward to the actor."""
        ray.get(self._actor.release_all.remote(holder))


def holder_here() -> str:
    """Name this process as a holder: by its actor's id on Ray, so that its claims are released when the actor dies."""
    actor = ray.get_runtime_context().get_actor_id() if ray.is_initialized() else None
    return actor or uuid4().hex


def waiting_for(claims: Claims, fingerprint: str, holder: str) -> Generator[None, None, None]:
    """Wait, step by step, until the claim is ours; the artifact may have been made meanwhile, so look again."""
    while not claims.claim(fingerprint, holder):
        time.sleep(ASK_S)
        yield


@contextmanager
def renewing(claims: Claims, fingerprint: str, holder: str) -> Iterator[None]:
    """Renew a claim while inside, then release it."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(RENEW_S):
            claims.claim(fingerprint, holder)

    renewer = threading.Thread(target=renew, daemon=True)
    renewer.start()
    try:
        yield
    finally:
        over.set()
        renewer.join()
        claims.release(fingerprint, holder)
