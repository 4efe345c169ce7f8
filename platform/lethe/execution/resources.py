"""The room of a worker: what Ray sets aside for it, and how many workers of it a machine holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor

from lethe.study import Share


@dataclass(frozen=True)
class Room:
    """CPU cores, and GPUs or a fraction of one."""

    cpu: float
    gpu: float

    @classmethod
    def of(cls, share: Share) -> "Room":
        """Give the room that a study asks for."""
        return cls(share.cpu, share.gpu)

    def __str__(self) -> str:
        return f"{self.cpu:g} CPU and {self.gpu:g} GPU"

    def larger(self, nodes: Iterable[Mapping[str, float]]) -> "Room | None":
        """Give the next larger room, which half as many workers have; None where a worker has a device to itself.

        The device is a GPU, or for a worker without one all cores of the largest node.
        """
        if self.gpu > 0:
            return None if self.gpu >= 1 else Room(self.cpu, min(1.0, 2 * self.gpu))
        cores = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
        return None if self.cpu >= cores else Room(min(cores, 2 * self.cpu), 0.0)


def fitting(resources: Mapping[str, float], room: Room) -> int:
    """Count the workers of a room that a machine of these resources (CPU, GPU) holds."""
    by_cpu = floor(resources.get("CPU", 0) / room.cpu + 1e-9)
    if room.gpu == 0:
        return by_cpu
    gpus = floor(resources.get("GPU", 0) + 1e-9)
    by_gpu = gpus * floor(1 / room.gpu + 1e-9) if room.gpu <= 1 else floor(gpus / room.gpu)
    return min(by_cpu, by_gpu)
