"""The machines of a cluster and their types, as Ray counts them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ray

_ACCELERATOR = "accelerator_type:"


@dataclass(frozen=True)
class NodeType:
    """Machines that are alike.

    Attributes:
        accelerator: Ray's name of their GPUs, such as ``H100``; empty where it knows none.
        memory_bytes: of the host, for workers, on the machine that has the least.
        count: how many there are.
    """

    accelerator: str
    cpus: float
    gpus: float
    memory_bytes: int
    count: int

    @property
    def title(self) -> str:
        """Name the machines by what they hold."""
        gpus = f"{self.gpus:g} x {self.accelerator or 'GPU'}, " if self.gpus else ""
        return f"{gpus}{self.cpus:g} CPU"

    @property
    def resources(self) -> dict[str, float]:
        """Return the CPUs and GPUs of one of them."""
        return {"CPU": self.cpus, "GPU": self.gpus}


def nodes_alive() -> list[Mapping[str, float]]:
    """Return the resources of each live node of the cluster."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def node_types_of(nodes: Iterable[Mapping[str, float]]) -> list[NodeType]:
    """Group nodes by their resources; nodes without cores are left out, since nothing runs there."""
    counts: Counter[tuple[str, float, float]] = Counter()
    memory: dict[tuple[str, float, float], int] = {}
    for node in nodes:
        named = [name.removeprefix(_ACCELERATOR) for name in node if name.startswith(_ACCELERATOR)]
        key = (named[0] if named else "", float(node.get("CPU", 0)), float(node.get("GPU", 0)))
        if key[1]:
            counts[key] += 1
            memory[key] = min(memory.get(key, int(node["memory"])), int(node["memory"]))
    return [NodeType(*key, memory_bytes=memory[key], count=count) for key, count in counts.items()]
