"""Studies on a Ray cluster that runs already, as `ray start --head` starts one: joined by address, and shared."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lethe.results import query

Lethe = Callable[..., "subprocess.Popen[str]"]
WriteStudy = Callable[..., Path]


@pytest.fixture(scope="module")
def head(ray_environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a running head."""
    environment = ray_environment | {
        "RAY_TMPDIR": tempfile.mkdtemp(prefix="lr-"),
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    }
    options = ["--head", "--block", "--port=0", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("ray")), "start", *options, f"--temp-dir={environment['RAY_TMPDIR']}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Ray runtime started" in line:
            break
    else:
        pytest.fail("".join(said))
    yield environment
    process.terminate()
    process.communicate(timeout=60)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def test_two_studies_at_once_find_the_cluster_and_train_each_model_once(
    lethe: Lethe, head: dict[str, str], write_study: WriteStudy, tmp_path: Path
) -> None:
    study, results = write_study(), tmp_path / "results"
    names = ["first", "second"]
    runs = [
        lethe("run", study, f"name={name}", "--address", "auto", "--results", results, environment=head)
        for name in names
    ]
    for code, output in map(ended, runs):
        assert code == 0, output
        assert "Running on Ray: 1 node, 2 CPU" in output
    sql = "select kind, count(*) n, count(distinct artifact_id) d, count(distinct uri) u from artifacts group by kind"
    counts = {row.pop("kind"): row for row in query(sql, results).to_pylist()}
    assert counts == {kind: {"n": 3, "d": 3, "u": 3} for kind in ("original", "oracle", "saliency")}
    assert len(list((results / "pool").rglob("*.safetensors"))) == 3 * 2 + 3 * 2 + 3
    sql = "select number, lr, density, gap from trials where study = '{}' order by number"
    first, second = (query(sql.format(name), results).to_pylist() for name in names)
    assert len(first) == 5
    assert first == second


@pytest.mark.parametrize(
    ("address", "told"), [("127.0.0.1:1", "nobody answers"), ("nowhere", "wanted auto or HOST:PORT")]
)
def test_a_cluster_that_is_not_there_is_told(
    lethe: Lethe, write_study: WriteStudy, tmp_path: Path, address: str, told: str
) -> None:
    code, output = ended(lethe("run", write_study(), "--results", tmp_path / "results", "--address", address))
    assert code == 2, output
    assert f"cannot join the Ray cluster {address}: {told}" in output
    assert "Traceback" not in output


def test_a_wrong_token_is_told(lethe: Lethe, head: dict[str, str], write_study: WriteStudy, tmp_path: Path) -> None:
    address = (Path(head["RAY_TMPDIR"]) / "ray_current_cluster").read_text()
    arguments = ("run", write_study(), "--results", tmp_path / "results", "--address", address)
    code, output = ended(lethe(*arguments, environment=head | {"RAY_AUTH_TOKEN": "fedcba9876543210" * 4}))
    assert code == 2, output
    assert f"cannot join the Ray cluster {address}" in output
    assert "its token may be another: see that RAY_AUTH_TOKEN" in output
    assert "Traceback" not in output
