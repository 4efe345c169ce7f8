"""How the benchmarks measure time."""

import time
from collections.abc import Callable
from statistics import median


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Give the median seconds of some work, after one run to warm up."""
    work()
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return median(spent)
