"""A plug-in on a cluster whose nodes do not have it, and a method that only the program itself defines."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lethe.results import query

PROGRAM = """
import sys
from pathlib import Path
from typing import ClassVar, Literal

from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.storage.root import StorageRoot
from lethe.study import read_study
from unlearning.methods import METHODS
from lethe_example.methods import Alternate


class Twice(Alternate):
    name: Literal["twice"] = "twice"
    title: ClassVar[str] = "two climbs"
    version: ClassVar[int] = 1
    climbs: Literal[2] = 2


METHODS.add(Twice)
with Progress(Console()) as progress:
    run = StudyRun(read_study(Path(sys.argv[1])), StorageRoot.at(sys.argv[2]), progress)
    run.run("auto")
assert not run.problems, run.problems
"""
SEARCH = {"lr": {"low": 1.0e-4, "high": 1.0e-3, "log": True}}


@pytest.mark.slow
def test_a_plug_in_travels_to_two_nodes_that_lack_it_with_a_method_of_the_program(
    start_node: Callable[..., dict[str, str]], installed: Path, write_study: Callable[..., Path], tmp_path: Path
) -> None:
    hide = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(installed))
    if subprocess.run([*hide, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a folder cannot be hidden from a process here: mounting is not permitted")
    folder = tempfile.mkdtemp(prefix="lr-")
    nowhere = ("--include-dashboard=false", "--num-cpus=0")
    head = start_node("--head", "--port=0", *nowhere, prefix=hide, RAY_TMPDIR=folder)
    address = (Path(folder) / "ray" / "ray_current_cluster").read_text()
    start_node(f"--address={address}", "--num-cpus=1", prefix=hide, RAY_TMPDIR=folder)
    study, results = write_study(**_study()), tmp_path / "results"
    path = os.pathsep.join([str(installed), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(study), str(results)],
        capture_output=True,
        text=True,
        env=os.environ | head | {"PYTHONPATH": path},
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 nodes, 1 CPU" in done.stdout
    sql = "select method, method_package, network_package, source_package, count(*) n from {} group by all order by all"
    plugged = {"network_package": "lethe-example 1.2", "source_package": "lethe-example 1.2"}
    alternate = {"method": "alternate", "method_package": "lethe-example 1.2"} | plugged
    twice = {"method": "twice", "method_package": None} | plugged
    assert query(sql.format("trials"), results).to_pylist() == [alternate | {"n": 2}, twice | {"n": 1}]
    confirmed = query(sql.format("confirmations"), results).to_pylist()
    assert [row for row in confirmed if row["method"] in ("alternate", "twice")] == [
        alternate | {"n": 2},
        twice | {"n": 2},
    ]
    measured = query("select package, count(*) n from measures where metric = 'forget_loss' group by all", results)
    [measure] = measured.to_pylist()
    assert measure["package"] == "lethe-example 1.2"
    audits = query("select package, count(*) n from measures where metric = 'surer_share' group by all", results)
    [audited] = audits.to_pylist()
    assert audited == measure
    assert measure["n"] >= len(("alternate", "twice")) * 2


def _study() -> dict[str, Any]:
    return {
        "data": [{"source": "stripes"}],
        "network": {"name": "perceptron", "width": 8},
        "training": {"epochs": 2, "batch_size": 32, "lr": 0.1},
        "methods": [
            {"name": "alternate", "epochs": 1, "batch_size": 32, "search": SEARCH},
            {"name": "twice", "epochs": 1, "batch_size": 32, "lr": 0.001},
        ],
        "metrics": ["forget_loss"],
        "audits": [{"name": "surer"}],
        "search": {"trials": 2, "window": 1, "startup": 1},
    }
