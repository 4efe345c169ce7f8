"""The tutorial, run as it is written: each block in turn, in one empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_tutorial_runs_from_start_to_end(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
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
