"""The preflight: before any work starts, every node reports what it runs and whether it sees the results."""

import platform
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray
from ray.exceptions import NodeDiedError, RayError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lethe.execution.failures import ClusterError
from lethe.storage.root import StorageError, StorageRoot

PATIENCE_S = 120.0
"""How long nodes may take to answer; starting a worker takes seconds, on a busy machine many."""


@dataclass(frozen=True)
class _Node:
    """A machine of a cluster, as it reports itself.

    Attributes:
        host: its own name.
        python: as in ``3.11.7``.
        ray: as in ``2.60.0``.
        torch: as in ``2.13.0+cpu``; None where there is none.
        sees_root: whether it finds in the results what the driver wrote there.
        trouble: what reading there raised; empty where it read, or the file was not there.
    """

    host: str
    python: str
    ray: str
    torch: str | None
    sees_root: bool
    trouble: str


def preflight(root: StorageRoot) -> None:
    """Ask all nodes of the cluster at once, and check that they match this process.

    Nodes that are lost meanwhile are left out; nodes that come later are not asked.

    Args:
        root: the results, in which each node must find what this process writes.

    Raises:
        ClusterError: a node has another Python, Ray or torch than this process, does not see the root, or gives no
            answer; the message names each such node and what differs.
        StorageError: this process cannot write to the root.
    """
    name, content = f".preflight.{uuid.uuid4().hex}.tmp", uuid.uuid4().bytes
    root.write(name, content)
    try:
        nodes, wrong = _ask_all(root, name, content)
    finally:
        root.delete(name)
    wrong += [f"{node.host}: {difference}" for node in nodes for difference in _differences(node, root)]
    if wrong:
        raise ClusterError(
            "\n".join(["these nodes of the cluster cannot do this work:", *(f"  {line}" for line in wrong)])
        )


def _ask_all(root: StorageRoot, name: str, content: bytes) -> tuple[list[_Node], list[str]]:
    """Return the nodes that answered, and a line for each that did not."""
    alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    question = ray.remote(num_cpus=0, max_calls=1)(_question())
    asked = {
        question.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(
            root, name, content
        ): node_id
        for node_id in alive
    }
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE_S)
    nodes, wrong = [], [f"{_name(alive[asked[ref]])}: no answer in {PATIENCE_S:g} s" for ref in silent]
    for ref in answered:
        try:
            nodes.append(_Node(**ray.get(ref)))
        except (NodeDiedError, TaskUnschedulableError):
            continue
        except RayError as error:
            last = str(error).strip().splitlines()[-1]
            wrong.append(f"{_name(alive[asked[ref]])}: its worker does not start or fails: {last}")
    return nodes, wrong


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"


def _question() -> Callable[[StorageRoot, str, bytes], dict[str, Any]]:
    """Return the function that runs on each node.

    Being made here, it travels by value, and needs nothing of this package on a node that lacks torch.
    """

    def answer(root: StorageRoot, name: str, content: bytes) -> dict[str, Any]:
        try:
            torch = version("torch")
        except PackageNotFoundError:
            torch = None
        sees_root, trouble = False, ""
        try:
            sees_root = root.read(name) == content
        except FileNotFoundError:
            pass
        except StorageError as error:
            trouble = str(error).splitlines()[0]
        return {
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "ray": version("ray"),
            "torch": torch,
            "sees_root": sees_root,
            "trouble": trouble,
        }

    return answer


def _differences(node: _Node, root: StorageRoot) -> Iterator[str]:
    if _minor(node.python) != _minor(platform.python_version()):
        yield f"Python {node.python}, here {platform.python_version()}"
    if node.ray != version("ray"):
        yield f"Ray {node.ray}, here {version('ray')}"
    if node.torch is None:
        yield "no torch; install the libraries of Lethe there"
    elif _minor(node.torch) != _minor(version("torch")):
        yield f"torch {node.torch}, here {version('torch')}"
    if not node.sees_root:
        yield (
            f"it does not see the results folder {root}{node.trouble and f' ({node.trouble})'}; name one that all "
            "nodes reach: a shared folder at the same path, or a URI such as s3://BUCKET/FOLDER"
        )


def _minor(number: str) -> list[str]:
    return number.split(".")[:2]
