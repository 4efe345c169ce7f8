"""Which code, libraries, process and machine made a number, and what time and memory it took."""

import os
import platform
import resource
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import torch

from lethe.versions import code_version, installed


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a unit of work was done, as the columns of its row.

    Attributes:
        device: the hardware behind the torch device, such as ``cuda: NVIDIA H200``.
        cpus, gpus: what the worker held of the machine: cores, and GPUs or a fraction of one; None where unknown.
        worker: the process.
        node: the machine.
        peak_memory_bytes: see `peak_memory_bytes`; None where it is unknown.
    """

    device: str = ""
    cpus: float | None = None
    gpus: float | None = None
    worker: str = ""
    node: str = ""
    peak_memory_bytes: int | None = None
    lethe_version: str = field(default_factory=lambda: installed("lethe"))
    code_version: str = field(default_factory=code_version)
    python_version: str = field(default_factory=platform.python_version)
    torch_version: str = torch.__version__
    ray_version: str = field(default_factory=lambda: installed("ray"))
    optuna_version: str = field(default_factory=lambda: installed("optuna"))

    @classmethod
    def here(cls, device: torch.device, cpus: float, gpus: float) -> "Provenance":
        """Describe this process, its device, and the resources that it holds."""
        node = socket.gethostname()
        return cls(
            device=_device_name(device.type),
            cpus=cpus,
            gpus=gpus,
            worker=f"{node}:{os.getpid()}",
            node=node,
            peak_memory_bytes=peak_memory_bytes(device),
        )


class Stopwatch:
    """Times a unit of work. The wall clock is read at its start alone, so that no jump of it makes a duration wrong."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self._began

    @property
    def ended_at(self) -> datetime:
        """Return the time now: the start plus the seconds since."""
        return self.started_at + timedelta(seconds=self.seconds)


def reset_peak_memory(device: torch.device) -> None:
    """Begin a unit of work, whose peak `peak_memory_bytes` returns; the host's cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory held: on a GPU allocated since `reset_peak_memory`, else resident since the start."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@cache
def _device_name(kind: str) -> str:
    if kind == "cuda":
        return f"cuda: {torch.cuda.get_device_name()}"
    return f"{kind}: {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
