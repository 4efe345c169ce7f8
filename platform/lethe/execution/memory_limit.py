"""The memory that a worker may take, so that one that needs more fails alone and not its neighbours."""

import resource
from pathlib import Path

import ray

CONTEXT_BYTES = 1 << 30
"""Kept free of a worker's part of a GPU for what torch's allocator does not count: the CUDA context, the libraries'
kernels and the recordings, 845 MiB on an H100 (LOG.md)."""


def cap_memory(cpu: float, gpu: float) -> None:
    """Limit this worker, an actor with these cores and GPUs, to its part of the memory.

    A fraction of a GPU caps what torch allocates there. A worker without a GPU may take, on top of what it holds now,
    the fraction of its node's memory (as Ray counts it) that its cores are of the node's.
    """
    if 0 < gpu < 1:
        _cap_gpu(gpu)
    elif gpu == 0:
        _cap_host(cpu)


def _cap_gpu(fraction: float) -> None:
    import torch  # Importing it takes seconds, and a worker without a GPU may not need it.

    if torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(max(0.01, fraction - CONTEXT_BYTES / total))


def _cap_host(cpu: float) -> None:
    here = ray.get_runtime_context().get_node_id()
    node = next(each["Resources"] for each in ray.nodes() if each["NodeID"] == here)
    part = node["memory"] * min(1.0, cpu / node["CPU"])
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + int(part), most))


def _data_bytes() -> int:
    """Return the private writable memory that this process has mapped: what RLIMIT_DATA counts."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmData"))
    return int(kilobytes) * 1024
