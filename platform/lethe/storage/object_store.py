"""What an object store's errors mean, and how long one that is out of reach is waited for.

Stores answer "not now" to whoever asks too fast, and networks drop out for moments. Neither is an error of the user's.
"""

import random
import re
import time
from collections.abc import Callable
from typing import Final, Literal, TypeVar

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

Answer = TypeVar("Answer")

Trouble = Literal["network", "permission", "absence"]
"""The store does not answer or says "not now"; it refuses these credentials; what was asked for is not there."""

PATIENCE_S: Final = 30.0
"""How long a store may be out of reach: as long as a study's lock is waited for."""

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 4.0

STORE_ERRORS: Final = (BaseError, OSError)
"""What obstore raises, and pyarrow where it asks for a bucket's region."""

_ABSENT: Final = re.compile(r"NoSuchBucket|NO_SUCH_BUCKET|ContainerNotFound|bucket does not exist")

_XML: Final = re.compile(
    r"(?:<\?xml[^>]*>\s*)?<Error>.*?<Code>(.*?)</Code>.*?<Message>(.*?)</Message>.*?</Error>", re.DOTALL
)

_SIGNS: Final[dict[Trouble, re.Pattern[str]]] = {
    "network": re.compile(
        r"status code: (408|429|5(?!01)\d\d)|error sending request|[Tt]imed? ?out|connection (closed|reset|error)"
        r"|error decoding response body|NETWORK_CONNECTION|SLOW_DOWN|SERVICE_UNAVAILABLE|Could not resolve"
    ),
    "permission": re.compile(r"status code: 40[13]|ACCESS_DENIED|[Cc]redential"),
    "absence": re.compile(rf"status code: 404|{_ABSENT.pattern}"),
}

ADVICE: Final[dict[Trouble, str]] = {
    "network": "The store is out of reach or overloaded: check the network and the endpoint. What had finished is "
    "kept; the same command goes on from here",
    "permission": "The store refuses these credentials: check that they are set, are not expired, and may read and "
    "write there",
    "absence": "There is no such bucket or container: create it, or check its name and region",
}


def message_of(error: BaseException) -> str:
    """Return an error's message without what obstore appends, its internal values, and with S3's XML as plain text."""
    return _XML.sub(r"\1: \2", str(error).partition("\n\nDebug source:")[0])


def trouble_of(error: BaseException) -> Trouble | None:
    """Read from an object store's error what kind it is of; None for any other, such as a file that is not there."""
    said = message_of(error)
    if isinstance(error, FileNotFoundError):
        return "absence" if _ABSENT.search(said) else None
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return "permission"
    if not isinstance(error, STORE_ERRORS):
        return None
    return next((trouble for trouble, signs in _SIGNS.items() if signs.search(said)), None)


def patiently(call: Callable[[], Answer]) -> Answer:
    """Call again, ever later, while the store is out of reach, until `PATIENCE_S` after the first failure.

    Raises:
        BaseError, OSError: the last failure; another one than the network's at once.
    """
    wait_s, until = FIRST_WAIT_S, None
    while True:
        try:
            return call()
        except STORE_ERRORS as error:
            if trouble_of(error) != "network":
                raise
            now = time.monotonic()
            until = now + PATIENCE_S if until is None else until
            if now >= until:
                raise
            time.sleep(min(wait_s * random.uniform(0.5, 1.0), until - now))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
