"""Studies on a Ray cluster that runs already, as `ray start --head` starts one: joined by address, and shared."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from forked_lethe import ForkedLethe, ended

from lethe.execution import ray_settings
from lethe.results import query

Lethe = Callable[..., ForkedLethe]
LetheHere = Callable[..., tuple[int, str]]
WriteStudy = Callable[..., Path]


@pytest.fixture(scope="module")
def head(start_head: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The environment of a running head, whose GPU is in its books alone."""
    return start_head("--include-dashboard=false", "--num-gpus=1")


@pytest.mark.slow
def test_two_studies_at_once_that_want_less_and_more_workers_than_there_is_room_for_train_each_model_once(
    lethe: Lethe, head: dict[str, str], write_study: WriteStudy, tmp_path: Path
) -> None:
    study, results = write_study(search={"trials": 2, "window": 1}), tmp_path / "results"
    workers = {"first": 1, "second": 5}
    address = ("--address", "auto", "--results", results)
    runs = [
        lethe("run", study, f"name={name}", f"resources.workers={count}", *address, environment=head)
        for name, count in workers.items()
    ]
    for code, output in map(ended, runs):
        assert code == 0, output
        assert "Running on Ray: 1 node, 2 CPU, 1 GPU" in output
    sql = "select kind, count(*) n, count(distinct artifact_id) d, count(distinct uri) u from artifacts group by kind"
    counts = {row.pop("kind"): row for row in query(sql, results).to_pylist()}
    assert counts == {kind: {"n": 3, "d": 3, "u": 3} for kind in ("original", "oracle", "saliency")}
    assert len(list((results / "artifacts").rglob("*.safetensors"))) == 3 * 2 + 3 * 2 + 3
    sql = "select number, lr, density, gap from trials where study = '{}' order by number"
    first, second = (query(sql.format(name), results).to_pylist() for name in workers)
    assert len(first) == 2
    assert first == second
    counts = query("select study, count(distinct worker) workers from trials group by study", results).to_pylist()
    assert all(row["workers"] <= min(workers[row["study"]], 2) for row in counts)


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
    ("named", "told"), [("127.0.0.1:1", "nobody answers"), ("nowhere", "wanted auto or HOST:PORT")]
)
def test_a_cluster_that_is_not_there_is_told(
    lethe_here: LetheHere, write_study: WriteStudy, tmp_path: Path, named: str, told: str
) -> None:
    code, output = lethe_here("run", write_study(), "--results", tmp_path / "results", "--address", named)
    assert code == 2, output
    assert complaint(output).startswith(f"cannot join the Ray cluster {named}: {told}")


def test_auto_tells_of_a_cluster_that_is_gone_and_of_none(
    lethe_here: LetheHere, monkeypatch: pytest.MonkeyPatch, write_study: WriteStudy, tmp_path: Path
) -> None:
    named = tmp_path / "ray" / "ray_current_cluster"
    arguments = ("run", write_study(), "--results", tmp_path / "results", "--address", "auto")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    code, output = lethe_here(*arguments)
    assert code == 2, output
    assert complaint(output).startswith(f"auto finds no Ray cluster: neither RAY_ADDRESS nor {named} names one")
    named.parent.mkdir()
    named.write_text("127.0.0.1:1")
    code, output = lethe_here(*arguments)
    assert code == 2, output
    assert complaint(output).startswith("cannot join the Ray cluster 127.0.0.1:1 (found by auto): nobody answers")


class Silent(BaseHTTPRequestHandler):
    """A handler that logs nothing: this process's output is the command's."""

    def log_message(self, *_: object) -> None:
        pass


def test_something_else_that_answers_is_told(
    lethe_here: LetheHere, monkeypatch: pytest.MonkeyPatch, write_study: WriteStudy, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # the command changes it
    with HTTPServer(("127.0.0.1", 0), Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        code, output = lethe_here("run", write_study(), "--results", tmp_path / "results", "--address", address)
        server.shutdown()
    assert code == 2, output
    assert complaint(output).startswith(f"cannot join the Ray cluster {address}: what answers there is no Ray head")


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("fedcba9876543210" * 4, "has another token than is given here"),
        ("", "demands its token, and there is none here"),
    ],
)
def test_a_wrong_or_missing_token_is_told(
    lethe_here: LetheHere,
    monkeypatch: pytest.MonkeyPatch,
    head: dict[str, str],
    address: str,
    write_study: WriteStudy,
    tmp_path: Path,
    token: str,
    told: str,
) -> None:
    for name, value in (head | {"RAY_AUTH_TOKEN": token, "HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    ray_settings.set_mode("token")
    code, output = lethe_here("run", write_study(), "--results", tmp_path / "results", "--address", address)
    assert code == 2, output
    assert complaint(output).startswith(f"the Ray cluster {address} {told}: set the cluster's own by RAY_AUTH_TOKEN")


def complaint(output: str) -> str:
    """What is said beside the description of the data: one line."""
    [line] = [line for line in output.splitlines() if not line.startswith("synthetic")]
    return line


def test_what_is_started_here_is_closed_to_others_and_leaves_no_token_behind(tmp_path: Path) -> None:
    open_environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    open_environment |= {"HOME": str(tmp_path), "RAY_TMPDIR": tempfile.mkdtemp(prefix="lr-")}
    knocking = "from lethe.execution._address import find_head; import sys; find_head(sys.argv[1])"
    code = f"""
import os, ray, subprocess, sys
from lethe.execution.connect import connect
with connect():
    head = ray.get_runtime_context().gcs_address
    print(ray.get(ray.remote(lambda: os.environ["RAY_AUTH_TOKEN"]).remote()) == os.environ["RAY_AUTH_TOKEN"])
    outside = {{name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}}
    knock = [sys.executable, "-c", {knocking!r}, head]
    print(subprocess.run(knock, env=outside, stderr=subprocess.PIPE, text=True).stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=open_environment, timeout=120, check=False
    )
    assert done.stdout.startswith("True\n"), done.stderr
    assert "demands its token, and there is none here" in done.stdout
    assert not (tmp_path / ".ray").exists()
