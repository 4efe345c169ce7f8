"""The tutorial, run as it is written: each block in turn, in one empty folder.

Each `lethe` is a process of its own, forked from one that has imported what commands need: twenty times over, that is
most of their cost. The installed command itself runs in the tests of clusters.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SERVER = """
import json, os, socket, sys
import lethe.pipeline.api, lethe.report, lethe.results
from lethe.cli import main

with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[1])
    listening.listen()
    print("ready", flush=True)
    while True:
        caller, _ = listening.accept()
        request, streams, _, _ = socket.recv_fds(caller, 1 << 16, 3)
        if (child := os.fork()) == 0:
            break
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        caller.sendall(bytes([os.waitstatus_to_exitcode(status) & 255]))
        caller.close()
arguments, folder = json.loads(request)
for number, stream in enumerate(streams):
    os.dup2(stream, number)
    os.close(stream)
os.chdir(folder)
sys.argv = ["lethe", *arguments]
try:
    main()
except SystemExit as end:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(end.code or 0)  # some library crashes when a forked process unloads it
"""
CLIENT = """#!{python} -SE
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect({place!r})
    socket.send_fds(server, [json.dumps([sys.argv[1:], os.getcwd()]).encode()], [0, 1, 2])
    sys.exit(server.recv(1)[0])
"""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """An environment whose `lethe` has the server run it."""
    environment = {name: value for name, value in os.environ.items() if name != "LETHE_RESULTS"}
    with tempfile.TemporaryDirectory(prefix="lr-") as folder:
        place, command = f"{folder}/socket", Path(folder) / "lethe"
        command.write_text(CLIENT.format(python=sys.executable, place=place))
        command.chmod(0o755)
        start = [sys.executable, "-c", SERVER, place]
        with subprocess.Popen(start, stdout=subprocess.PIPE, text=True, env=environment) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield environment | {"PATH": f"{folder}{os.pathsep}{environment['PATH']}"}
            server.terminate()


@pytest.mark.slow
def test_the_tutorial_runs_from_start_to_end(environment: dict[str, str], tmp_path: Path) -> None:
    blocks = BLOCK.findall(TUTORIAL.read_text())
    assert [language for language, _ in blocks].count("python") == 2
    assert TUTORIAL.read_text().count("```") == 2 * len(blocks)
    said = []
    for language, text in blocks:
        shell = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-W", "error", "-c"]
        done = subprocess.run([*shell, text], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    expected = ("trainings", "noise floor", "gap_closed", "seconds_unlearn", "8 trials written", "compacted")
    for text in (*expected, "8 trials to run, about", "no problems"):
        assert any(text in answer for answer in said), text
    assert {path.name for path in tmp_path.iterdir()} >= {"report.html", "tables", "trials.parquet", "leaderboard.tex"}
