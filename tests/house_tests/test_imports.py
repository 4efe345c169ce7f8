"""The order of the rooms: who imports whom, and never back."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from lethe.results import Store

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "platform", ROOT / "trials")

ROOMS = (
    "storage",
    "study",
    "results",
    "execution",
    "artifacts",
    "search",
    "pipeline",
    "report",
    "delivery",
    "submit",
    "cli",
)
"""Packages of `lethe`, lowest first: each may import those before it."""

LOOSE = {"__init__", "__main__", "errors", "lazy", "plugins", "versions"}
"""Modules that may lie beside the rooms."""


def modules() -> dict[str, Path]:
    found = {}
    for source in SOURCES:
        for path in source.rglob("*.py"):
            parts = path.relative_to(source).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Names the modules of ours that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in known or node.module in known:
                    yield submodule if submodule in known else node.module


def graph() -> dict[str, set[str]]:
    known = modules()
    """Returns who imports whom; importing any module imports its package, so that is no arrow."""
    return {name: set(imported(path, known)) - {name, "lethe", "unlearning"} for name, path in known.items()}


def room_of(module: str) -> str | None:
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    return room if package == "lethe" and room in ROOMS else None


def test_imports_form_no_circle() -> None:
    assert len(list(TopologicalSorter(graph()).static_order())) > 100


def test_no_arrow_runs_back_between_the_rooms() -> None:
    back = defaultdict(list)
    for module, others in graph().items():
        for other in others:
            above, below = room_of(module), room_of(other)
            if above and below and ROOMS.index(below) > ROOMS.index(above):
                back[f"{above} -> {below}"].append(f"{module} imports {other}")
    assert not back


def test_nothing_lies_beside_the_rooms() -> None:
    beside = {path.stem for path in (ROOT / "platform" / "lethe").glob("*.py")}
    assert beside <= LOOSE
    assert {path.parent.name for path in (ROOT / "platform" / "lethe").glob("*/__init__.py")} == set(ROOMS)


def test_a_worker_imports_nothing_that_only_a_driver_needs() -> None:
    """Each worker pays for its imports, in seconds, before its first step."""
    code = """
import sys
import lethe.artifacts.context, lethe.pipeline.confirm, lethe.search._worker
heavy = {"duckdb", "optuna", "pandas", "plotly", "ray.tune", "scipy", "sklearn"}
print(sorted(heavy & set(sys.modules)))
import lethe.search._trainable
print(sorted({"duckdb", "optuna", "scipy.special"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


def test_the_results_are_queried_and_shown_without_torch(
    store: Store, confirm: Callable[..., None], tmp_path: Path
) -> None:
    """It takes a second to import, which a question about rows need not wait for. No import opens a database."""
    confirm("oracle", [0.0, 0.0, 0.0])
    confirm("salun", [0.01, 0.02, 0.03])
    code = """
import os, sys
import duckdb, pyarrow, scipy.special
threads = len(os.listdir("/proc/self/task"))
import lethe.results.sql
assert len(os.listdir("/proc/self/task")) == threads
from lethe.cli import app
for command in ("query", "from joint_tests"), ("query",), ("leaderboard",), ("compact",), ("report", "--latex", "."):
    app([*command, "--results", sys.argv[1]], standalone_mode=False)
print(sorted({"torch", "ray", "optuna"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, store.root.address]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.endswith("\n[]\n")
