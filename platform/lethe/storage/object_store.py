"""What an object store's errors mean, and how long one that is out of reach is waited for.

Stores answer "not now" to whoever asks too fast, and networks drop out for moments. Neither is an error of the user's.
"""

import random
import re
import time
from collections.abc import Callable
from typing import Final, Literal, TypeVar

import pyarrow as pa

Answer = TypeVar("Answer")

Trouble = Literal["network", "permission", "absence"]
"""The store does not answer or says "not now"; it refuses these credentials; what was asked for is not there."""

PATIENCE_S: Final = 30.0
"""How long a store may be out of reach: as long as a study's lock is waited for."""

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 4.0

_SIGNS: Final[dict[Trouble, re.Pattern[str]]] = {
    "network": re.compile(
        r"NETWORK_CONNECTION|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|THROTTLING|REQUEST_TIMEOUT|curlCode"
        r"|HTTP status (408|429|5\d\d)|UNAVAILABLE|DEADLINE_EXCEEDED|ServerBusy|[Tt]imed? ?out"
        r"|Could not resolve|Connection (refused|reset)"
    ),
    "permission": re.compile(
        r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE|EXPIRED|INVALID_CLIENT_TOKEN|UNRECOGNIZED_CLIENT"
        r"|HTTP status 40[13]|PERMISSION_DENIED|UNAUTHENTICATED|[Cc]redential|AuthorizationFailure|AuthenticationFailed"
    ),
    "absence": re.compile(r"NO_SUCH_|RESOURCE_NOT_FOUND|HTTP status 404|NOT_FOUND|ContainerNotFound"),
}

ADVICE: Final[dict[Trouble, str]] = {
    "network": "The store is out of reach or overloaded: see the network and the endpoint. What had finished is kept; "
    "the same command goes on from here",
    "permission": "The store refuses these credentials: see that they are set, are not expired, and may read and write "
    "there",
    "absence": "There is no such bucket or container: create it, or see its name and region",
}


def trouble_of(error: BaseException) -> Trouble | None:
    """Read from an object store's error what kind it is of; None for any other."""
    if isinstance(error, FileNotFoundError) or not isinstance(error, OSError | pa.ArrowException):
        return None
    return next((trouble for trouble, signs in _SIGNS.items() if signs.search(str(error))), None)


def patiently(call: Callable[[], Answer]) -> Answer:
    """Call again, ever later, while the store is out of reach, until `PATIENCE_S` after the first failure.

    Raises:
        OSError, pa.ArrowException: the last failure; another one than the network's at once.
    """
    wait_s, until = FIRST_WAIT_S, None
    while True:
        try:
            return call()
        except (OSError, pa.ArrowException) as error:
            if trouble_of(error) != "network":
                raise
            now = time.monotonic()
            until = now + PATIENCE_S if until is None else until
            if now >= until:
                raise
            time.sleep(min(wait_s * random.uniform(0.5, 1.0), until - now))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
