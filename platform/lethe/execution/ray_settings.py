"""Ray's settings, which it reads once, when it is first imported: the package sets them before anything else.

Settings in the environment are kept, with one exception: what Lethe starts always demands a token.
"""

import os
import secrets
from pathlib import Path

from lethe.execution import _ray_private

SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
}
"""Ray Tune prints and writes nothing of its own, leaves the working directory alone and saves no state but at its
ends; no call starts a cluster by itself; and Ctrl-C is ours, where Tune's own handler waits for minutes while no trial
is due."""

SET_TOKEN = "set the cluster's own by RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
"""What to do where a token is missing or wrong."""

TOKEN_FILE = Path("~/.ray/auth_token")
"""Where Ray keeps the token of this user's clusters."""


def prepare() -> None:
    """Set what is not set; where there is a token, say that it is to be used, so that driver and cluster agree."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def has_token() -> bool:
    """Return whether this user has a token, as Ray looks for it: named by the environment, else in its own file."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named) if named else TOKEN_FILE.expanduser()
    try:
        return file.is_file() and bool(file.read_bytes().strip())
    except OSError:
        return False


def demand_token() -> None:
    """Make what this process starts from now on demand the user's token, or a random one where there is none."""
    if not has_token():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    set_mode("token")


def set_mode(mode: str) -> None:
    """Set how this process and its children authenticate: ``token``, or ``disabled`` for an open cluster."""
    os.environ["RAY_AUTH_MODE"] = mode
    _ray_private.reload_authentication()
