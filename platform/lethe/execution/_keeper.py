"""Keeps the Ray node of one study, as a program: `python _keeper.py`, with a pipe from its parent as standard input.

It prints ``up ADDRESS`` once the node is up, or ``failed REASON``. It ends, and the node with it, when the pipe closes
(its parent has ended), or on SIGTERM. The parent watches the node's services, since its interpreter is not held by
Ray's code.

It is a separate program because Ray's code waits for a service that died during the start, ignoring signals, until it
ends the process or for ever. It imports only one file of Lethe, since importing all of it would take seconds.
"""

import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn


def main() -> None:
    """Start the node and keep it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_watch_parent, daemon=True).start()
    # By its path: `from lethe...` would run the package's own imports first.
    ray_private = runpy.run_path(str(Path(__file__).with_name("_ray_private.py")))
    try:
        node = ray_private["start_node"]()
    except Exception as error:
        _end(f"failed {' '.join(str(error).split())}")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    _print(f"up {node.address}")
    ended.wait()
    ray_private["end_node"](node)


def _watch_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end(word: str) -> NoReturn:
    """Print why and end at once; the kernel ends the services with this process."""
    _print(word)
    os._exit(1)


def _print(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
