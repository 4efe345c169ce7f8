"""How this process's C library allocates memory: a training step wants the same pages again and again."""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_NEVER = -1

KEPT_BYTES = 32 << 20
"""The largest allocation that is kept: what glibc allows. Keeping more fragments the heap (LOG.md)."""


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed for the next allocation, for the life of the process.

    By default it returns a tensor of many megabytes to the system and asks for it again in the next batch, whose
    every page the system then clears. Evaluation on a CPU takes twice as long with that (LOG.md). Allocations larger
    than ``KEPT_BYTES`` are still returned.

    Returns:
        Whether it does so now; False where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
