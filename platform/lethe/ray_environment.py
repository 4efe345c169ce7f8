"""Ray's settings, which it reads once, when it is first imported: the package sets them before anything else.

Whatever the environment says already stays as it is.
"""

import os
from pathlib import Path

SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
"""Ray Tune prints and writes nothing of its own and leaves the working directory alone; no call starts a cluster by
itself; and Ctrl-C interrupts at once, where Tune's own handler waits for minutes while no trial is due."""

TOKEN_FILE = Path("~/.ray/auth_token")
"""Where Ray keeps the token of this user's clusters."""


def prepare() -> None:
    """Set what is not set; where there is a token, say that it is to be used, so that driver and cluster agree."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    has_token = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() or TOKEN_FILE.expanduser().is_file()
    if has_token:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
