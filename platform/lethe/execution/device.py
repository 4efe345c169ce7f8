"""What a worker computes on: the GPU that it was given a share of, or its CPU cores."""

import os
import resource
from pathlib import Path

import ray
import torch
from ray._private.accelerators import NvidiaGPUAcceleratorManager

from lethe.errors import LetheError
from lethe.execution.resources import Room
from lethe.study import Share
from unlearning.engine.allocator import keep_freed_memory

CONTEXT_BYTES = 1 << 30
"""Left out of a worker's share of a GPU for what torch's allocator does not count: the CUDA context, the libraries'
kernels and the recordings, 845 MiB on an H100 (LOG.md)."""


class DeviceError(LetheError):
    """A worker that was promised a GPU finds none."""


MPS_FOLDER = "/tmp/nvidia-mps"
"""Where NVIDIA's Multi-Process Service listens unless CUDA_MPS_PIPE_DIRECTORY says otherwise."""


def resources_here() -> dict[str, float]:
    """Count this machine's cores, GPUs and memory as Ray does."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    accelerator = NvidiaGPUAcceleratorManager.get_current_node_accelerator_type()
    named = {f"accelerator_type:{accelerator}": 1.0} if accelerator else {}
    return {"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count()), "memory": memory, **named}


def has_mps() -> bool:
    """Tell whether NVIDIA's Multi-Process Service runs here, so that processes compute on a GPU side by side."""
    return (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", MPS_FOLDER)) / "control").exists()


def memory_held(device: torch.device) -> tuple[int, int | None]:
    """Give the bytes in use and in all: of a GPU by all processes on it; on the host what this one holds, and None."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total - free, total
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), None


def claim_device(share: Share) -> torch.device:
    """Give a worker's device, with one torch thread a CPU core that it was given and memory that is kept.

    Raises:
        DeviceError: the share has GPU in it and this process sees none.
    """
    torch.set_num_threads(max(1, int(share.cpu)))
    keep_freed_memory()
    if share.gpu == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceError(
            f"resources ask for {share.gpu:g} GPU a worker, and torch {torch.__version__} sees none here; "
            "set resources.trial.gpu=0 and resources.training.gpu=0 to run on CPU cores"
        )
    return torch.device("cuda")


def cap_memory(room: Room) -> None:
    """Hold this worker to its share of memory, so that one that needs more fails alone and not its neighbours.

    A share of a GPU caps what torch allocates there. A worker without a GPU may take, on top of what it holds now, the
    share of its node's memory (as Ray counts it) that its cores are of the node's.
    """
    if room.gpu > 0:
        if room.gpu < 1 and torch.cuda.is_available():
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(max(0.01, room.gpu - CONTEXT_BYTES / total))
        return
    node = ray.get_runtime_context().get_node_id()
    held = next(each["Resources"] for each in ray.nodes() if each["NodeID"] == node)
    share = held["memory"] * min(1.0, room.cpu / held["CPU"])
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + int(share), most))


def _data_bytes() -> int:
    """Give the private writable memory that this process has mapped: what RLIMIT_DATA counts."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmData"))
    return int(kilobytes) * 1024
