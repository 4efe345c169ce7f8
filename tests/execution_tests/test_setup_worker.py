"""The program that starts workers on a node of our own, beside Ray's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from lethe.execution import _ray_private

OURS = Path(_ray_private.__file__).with_name("_setup_worker.py")
RAYS = Path(ray.__file__).parent / "_private" / "workers" / "setup_worker.py"

WORKER = """
import json, os, sys
print(json.dumps([sys.executable, sys.argv, sys.path[0], os.environ.get("OF_THE_JOB"), "ray" in sys.modules]))
"""


def started_by(program: Path, worker: Path, *arguments: str) -> object:
    words = [sys.executable, str(program), str(worker), *arguments, "--language=PYTHON"]
    return json.loads(subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout)


@pytest.mark.parametrize(
    "further", [[], ['--serialized-runtime-env-context={"env_vars": {"OF_THE_JOB": "a value"}}']], ids=["none", "one"]
)
def test_a_worker_is_started_as_ray_starts_it_with_or_without_a_runtime_environment(
    tmp_path: Path, further: list[str]
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    arguments = ("--node-id=5d3b", "--redis-address=None", "--name=two words", *further)
    found = started_by(OURS, worker, *arguments)
    assert found == started_by(RAYS, worker, *arguments)
    assert isinstance(found, list)
    assert found[3:] == ["a value" if further else None, False]
