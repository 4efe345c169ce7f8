"""The order of the rooms: who imports whom, and never back."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "platform", ROOT / "trials")

ROOMS = ("storage", "study", "results", "execution", "artifacts", "search", "pipeline", "report", "submit", "cli")
"""Packages of `lethe`, lowest first: each may import those before it."""

LOOSE = {"__init__", "__main__", "errors", "plugins", "versions"}
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


def test_a_worker_that_trains_or_confirms_imports_nothing_of_a_search() -> None:
    """Each worker pays for its imports, in seconds, before its first step."""
    code = """
import sys
import lethe.artifacts.context, lethe.pipeline.confirm
print(sorted({"optuna", "ray.tune", "scipy.stats", "pandas", "plotly", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
