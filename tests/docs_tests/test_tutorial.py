"""The tutorial, run as it is written: each block in turn, in one empty folder."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked_lethe import ForkedLethe

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

LETHE = """#!{python} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    connection.sendall((json.dumps([os.getcwd(), sys.argv[1:]]) + "\\n").encode())
    code, said = json.load(connection.makefile())
sys.stdout.write(said)
sys.exit(code)
"""


@pytest.fixture
def scripts(fork: type[ForkedLethe]) -> Iterator[Path]:
    """A folder whose `lethe` has the command done by a process that is forked in the tests' own environment."""
    folder = Path(tempfile.mkdtemp(prefix="lr-"))
    address = str(folder / "socket")
    (folder / "lethe").write_text(LETHE.format(python=sys.executable, address=address))
    (folder / "lethe").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "LETHE_RESULTS"}
    with socket.create_server(address, family=socket.AF_UNIX) as listener:

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rw", encoding="utf-8") as request:
                    wanted = json.loads(request.readline())
                    if wanted is None:
                        return
                    place, arguments = wanted
                    process = fork(arguments, environment, folder=place)
                    said, _ = process.communicate()
                    json.dump([process.returncode, said], request)

        server = threading.Thread(target=serve)
        server.start()
        yield folder
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(address)
            last.sendall(b"null\n")
        server.join()


@pytest.mark.slow
def test_the_tutorial_runs_from_start_to_end(scripts: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("LETHE_RESULTS", None)
    blocks = BLOCK.findall(TUTORIAL.read_text())
    assert [language for language, _ in blocks].count("python") == 3
    assert TUTORIAL.read_text().count("```") == 2 * len(blocks)
    said = []
    for language, text in blocks:
        shell = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-W", "error", "-c"]
        done = subprocess.run([*shell, text], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    expected = ("trainings", "noise floor", "gap_closed", "seconds_unlearn", "8 trials written", "compacted")
    for text in (*expected, "8 trials to run, about", "no problems", "of 3 patients"):
        assert any(text in answer for answer in said), text
    assert {path.name for path in tmp_path.iterdir()} >= {"report.html", "tables", "trials.parquet", "leaderboard.tex"}
