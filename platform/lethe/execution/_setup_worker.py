"""Starts a worker of Ray in this process, as a program: `python _setup_worker.py WORKER_PROGRAM ARGUMENTS...`.

Ray's own (`setup_worker.py`) does the same, but first imports Ray to read a runtime environment, and the worker imports
Ray again. On a node that `_keeper` keeps for one study there is none; a worker that has one is left to Ray's program.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

CONTEXT: Final = "--serialized-runtime-env-context="
LANGUAGE: Final = "--language="


def main() -> None:
    """Become the worker."""
    arguments = sys.argv[1:]
    if any(one.startswith(CONTEXT) for one in arguments):
        ray = find_spec("ray")
        assert ray is not None and ray.origin is not None
        program = Path(ray.origin).parent / "_private" / "workers" / "setup_worker.py"
        os.execv(sys.executable, [sys.executable, str(program), *arguments])
    os.execv(sys.executable, [sys.executable, *(one for one in arguments if not one.startswith(LANGUAGE))])


if __name__ == "__main__":
    main()
