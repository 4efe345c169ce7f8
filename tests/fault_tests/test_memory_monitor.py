"""Workers that Ray kills because their host runs short of memory, though each is within its own share."""

import mmap
import tempfile
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
import ray
from ray._common.utils import get_system_memory
from ray._private.utils import get_used_memory

from lethe.execution.connection import OnRay
from lethe.study import Resources

LEFT = 4 << 30
"""Bytes that the tests, and others that run beside them, may take before Ray's monitor kills."""

pytestmark = pytest.mark.usefixtures("ray_here")


@pytest.fixture(scope="module")
def ray_environment(ray_environment: dict[str, str]) -> dict[str, str]:
    threshold = (get_used_memory() + LEFT) / get_system_memory()
    folder = tempfile.mkdtemp(prefix="lr-")
    return ray_environment | {"RAY_TMPDIR": folder, "RAY_memory_usage_threshold": f"{threshold:.4f}"}


def test_a_job_that_ray_kills_for_memory_goes_on_with_more_room(witness: Callable[..., Any]) -> None:
    """Shared memory is the host's, and counts for no worker's own limit."""

    def work(job: int) -> Generator[None, None, int]:
        yield
        if ray.get_runtime_context().get_assigned_resources()["CPU"] < 2:
            held = mmap.mmap(-1, 2 * LEFT)
            for page in range(0, len(held), mmap.PAGESIZE):
                held[page] = 1
            time.sleep(600)
        return job

    by = witness()
    worker_pool = OnRay(None).worker_pool(lambda: work, Resources(cpu=1, gpu=0), by.watch)
    assert sorted((one.result, one.error) for one in worker_pool.do(range(3))) == [(0, None), (1, None), (2, None)]
    assert by.said == [
        "Out of memory in a worker of 1 CPU and 0 GPU: going on with fewer workers, of 2 CPU and 0 GPU each."
    ]
