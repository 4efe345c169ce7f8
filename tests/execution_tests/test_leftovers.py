"""What killed processes leave behind is removed by the next one, and nothing else."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lethe.execution.leftovers import OWNER_FILE, Mark, owned_folder, remove_leftovers, temporary_folder

LEAVE_BEHIND = """
import subprocess, sys
from lethe.execution.leftovers import Mark, owned_folder
folder = owned_folder()
(folder / "state").write_text("x")
child = subprocess.Popen(["sleep", "600"], env=Mark.here().environment(), start_new_session=True)
print(folder, child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def owner(temporary: Path) -> Iterator["subprocess.Popen[str]"]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-c", LEAVE_BEHIND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with process:
        yield process
        process.kill()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_folder_and_process_of_a_killed_owner_are_swept_and_those_of_a_living_one_are_not(
    owner: "subprocess.Popen[str]",
) -> None:
    assert owner.stdout is not None
    folder, child = owner.stdout.readline().split()
    remove_leftovers()
    assert (Path(folder) / "state").exists()
    assert is_alive(int(child))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    remove_leftovers()
    assert not Path(folder).exists()
    until = time.monotonic() + 10
    while is_alive(int(child)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(int(child))


def test_what_says_no_owner_or_one_that_cannot_be_read_is_kept(temporary: Path) -> None:
    for name in ("lethe-tmp-none", "lethe-tmp-odd", "lethe-tune-old", "other"):
        (temporary / name).mkdir()
    (temporary / "lethe-tmp-odd" / OWNER_FILE).write_bytes(b"\xff not an owner")
    before = sorted(temporary.iterdir())
    remove_leftovers()
    assert sorted(temporary.iterdir()) == before


def test_a_temporary_folder_goes_with_its_block(temporary: Path) -> None:
    with temporary_folder() as folder:
        (folder / "state").write_text("x")
        remove_leftovers()
        assert folder.parent == temporary
        assert (folder / "state").exists()
    assert list(temporary.iterdir()) == []
    kept = owned_folder()
    assert kept.stat().st_mode & 0o077 == 0


def test_processes_of_a_mark_are_ended_and_no_others() -> None:
    mine, other = Mark.here(), Mark.here()
    processes = [subprocess.Popen(["sleep", "600"], env=mark.environment()) for mark in (mine, other)]
    mine.end_processes()
    assert processes[0].wait(10) == -signal.SIGKILL
    assert processes[1].poll() is None
    other.end_processes()
    assert processes[1].wait(10) == -signal.SIGKILL
