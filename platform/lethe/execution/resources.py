"""Resources of workers: how many workers a machine holds, and what one that needs more asks for next."""

from collections.abc import Iterable, Mapping
from math import floor

from lethe.study import Resources


def fitting(node: Mapping[str, float], resources: Resources) -> int:
    """Return how many workers a machine holds that has these resources (CPU, GPU, as Ray counts them)."""
    by_cpu = floor(node.get("CPU", 0) / resources.cpu + 1e-9)
    if resources.gpu == 0:
        return by_cpu
    gpus = floor(node.get("GPU", 0) + 1e-9)
    by_gpu = gpus * floor(1 / resources.gpu + 1e-9) if resources.gpu <= 1 else floor(gpus / resources.gpu)
    return min(by_cpu, by_gpu)


def larger(resources: Resources, nodes: Iterable[Mapping[str, float]]) -> Resources | None:
    """Return the resources with which half as many workers fit; None where a worker has a device to itself.

    The device is a GPU, or for a worker without one all cores of the largest node.
    """
    if resources.gpu > 0:
        return None if resources.gpu >= 1 else Resources(cpu=resources.cpu, gpu=min(1.0, 2 * resources.gpu))
    cores = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    return None if resources.cpu >= cores else Resources(cpu=min(cores, 2 * resources.cpu))
