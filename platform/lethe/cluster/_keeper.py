"""Keeps the Ray node of one study, as a program: `python _keeper.py`, with a pipe from its parent as standard input.

It prints ``up ADDRESS`` once the node is up, or ``failed REASON``. It ends, and the node with it, when the pipe closes
(its parent has ended), when it is told to by SIGTERM, or when a service of the node ends.

A program of its own, since Ray's own code waits for a service that died while it starts, deaf to signals, until it ends
the process or for ever. It imports nothing of Lethe's, which would take seconds.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

SERVICES: Final = ("gcs_server", "raylet")
LOOK_S: Final = 0.2


def main() -> None:
    """Start the node and keep it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_watch_parent, daemon=True).start()
    threading.Thread(target=_watch_services, daemon=True).start()
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    try:
        node = Node(
            RayParams(include_dashboard=False),
            head=True,
            shutdown_at_exit=False,
            spawn_reaper=True,
            ray_init_cluster=True,
        )
    except Exception as error:
        _end(f"failed {' '.join(str(error).split())}")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    _print(f"up {node.address}")
    ended.wait()
    node.kill_all_processes(check_alive=False, allow_graceful=True)


def _watch_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _watch_services() -> None:
    while True:
        for name, state in _children():
            if name in SERVICES and state in "ZX":
                _end(f"failed Ray's {name} died")
        time.sleep(LOOK_S)


def _children() -> Iterator[tuple[str, str]]:
    """Read the name and the state of each child of this process, which its threads have started."""
    for task in Path("/proc/self/task").iterdir():
        for pid in _read(task / "children").split():
            head, _, tail = _read(Path("/proc") / pid / "stat").rpartition(")")
            if head:
                yield head.partition("(")[2], tail.split()[0]


def _read(path: Path) -> str:
    """Read what the kernel tells; nothing of a process or thread that is gone."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _end(word: str) -> NoReturn:
    """Say why, and end at once; the kernel ends the services with this process."""
    _print(word)
    os._exit(1)


def _print(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
