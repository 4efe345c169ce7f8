"""Studies on a Ray cluster that runs already, as `ray start --head` starts one: joined by address, and shared."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from lethe.results import query

Lethe = Callable[..., "subprocess.Popen[str]"]
WriteStudy = Callable[..., Path]


@pytest.fixture(scope="module")
def head(ray_environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a running head, whose GPU is in its books alone."""
    environment = ray_environment | {
        "RAY_TMPDIR": tempfile.mkdtemp(prefix="lr-"),
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    }
    options = ["--head", "--block", "--port=0", "--include-dashboard=false", "--disable-usage-stats"]
    options += ["--num-cpus=2", "--num-gpus=1"]
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
        assert "Running on Ray: 1 node, 2 CPU, 1 GPU" in output
    sql = "select kind, count(*) n, count(distinct artifact_id) d, count(distinct uri) u from artifacts group by kind"
    counts = {row.pop("kind"): row for row in query(sql, results).to_pylist()}
    assert counts == {kind: {"n": 3, "d": 3, "u": 3} for kind in ("original", "oracle", "saliency")}
    assert len(list((results / "pool").rglob("*.safetensors"))) == 3 * 2 + 3 * 2 + 3
    sql = "select number, lr, density, gap from trials where study = '{}' order by number"
    first, second = (query(sql.format(name), results).to_pylist() for name in names)
    assert len(first) == 5
    assert first == second


@pytest.mark.parametrize("workers", [1, 5])
def test_a_study_may_ask_for_less_or_more_workers_than_there_is_room_for(
    lethe: Lethe, head: dict[str, str], write_study: WriteStudy, tmp_path: Path, workers: int
) -> None:
    study, results = write_study(resources={"workers": workers}), tmp_path / "results"
    code, output = ended(lethe("run", study, "--address", "auto", "--results", results, environment=head))
    assert code == 0, output
    counts = query("select count(*) n, count(distinct worker) workers from trials", results).to_pylist()
    assert counts[0]["n"] == 5
    assert counts[0]["workers"] <= min(workers, 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the GPU that the test must miss")
def test_a_gpu_that_only_ray_believes_in_is_told(
    lethe: Lethe, head: dict[str, str], write_study: WriteStudy, tmp_path: Path
) -> None:
    study = write_study(resources={"training": {"gpu": 0.5}})
    code, output = ended(lethe("run", study, "--address", "auto", "--results", tmp_path / "results", environment=head))
    assert code == 2, output
    assert "resources ask for 0.5 GPU a worker" in output
    assert "Traceback" not in output


def test_a_wait_for_room_is_told_and_can_be_interrupted(
    lethe: Lethe, head: dict[str, str], write_study: WriteStudy, tmp_path: Path
) -> None:
    study = write_study(resources={"training": {"cpu": 64}, "workers": 1})
    process = lethe("run", study, "--address", "auto", "--results", tmp_path / "results", environment=head)
    assert process.stdout is not None
    told = "made no room for a worker of 64 CPU and 0 GPU; still waiting"
    assert any(told in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    code, output = ended(process)
    assert code == 130, output


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
