"""A worker's device: a GPU or a fraction of one, or CPU cores."""

import os
import re
from pathlib import Path

import torch

from lethe.errors import LetheError
from lethe.study import Resources
from unlearning.engine.allocator import keep_freed_memory

_MODEL = re.compile(r"\w+\s+((?:[A-Z]+\s+)*[A-Z0-9]*\d[A-Z0-9]*)")
"""The model in a name of NVIDIA's for a data centre's GPU: ``H100`` in ``NVIDIA H100 80GB HBM3``."""


class DeviceError(LetheError):
    """A worker that should have a GPU finds none."""


MPS_FOLDER = "/tmp/nvidia-mps"
"""Where NVIDIA's Multi-Process Service listens unless CUDA_MPS_PIPE_DIRECTORY says otherwise."""


def resources_here() -> dict[str, float]:
    """Return this machine's cores, GPUs and memory (bytes), by Ray's names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = torch.cuda.device_count()
    named = {f"accelerator_type:{accelerator_type(torch.cuda.get_device_name(0))}": 1.0} if gpus else {}
    return {"CPU": float(os.cpu_count() or 1), "GPU": float(gpus), "memory": memory, **named}


def accelerator_type(device_name: str) -> str:
    """Return Ray's short name of a GPU, by which machines are compared with those of a cluster.

    Args:
        device_name: as the driver has it, such as ``NVIDIA H100 80GB HBM3``.
    """
    found = _MODEL.match(device_name)
    if found and len(found[1]) > 1:
        return found[1].replace(" ", "-")
    return re.sub(r"^NVIDIA\s+", "", device_name).strip().replace(" ", "-")


def has_mps() -> bool:
    """Return whether NVIDIA's Multi-Process Service runs here, so that processes compute on a GPU side by side."""
    return (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", MPS_FOLDER)) / "control").exists()


def memory_held(device: torch.device) -> tuple[int, int | None]:
    """Return the bytes in use and in total: on a GPU by all processes; on the host by this one, and None.

    Args:
        device: of this process.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total - free, total
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), None


def claim_device(resources: Resources) -> torch.device:
    """Return a worker's device; torch gets a thread for each of its CPU cores, and keeps freed memory.

    Raises:
        DeviceError: the worker should have a GPU, and this process sees none.
    """
    torch.set_num_threads(max(1, int(resources.cpu)))
    keep_freed_memory()
    if resources.gpu == 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceError(
            f"resources ask for {resources.gpu:g} GPU a worker, and torch {torch.__version__} sees none here; "
            "set resources.trial.gpu=0 and resources.training.gpu=0 to run on CPU cores"
        )
    return torch.device("cuda")
