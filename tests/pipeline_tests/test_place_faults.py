"""A results place that fills up, turns read-only or vanishes while a study runs: told, nothing whole lost, mended."""

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store, query
from lethe.storage.root import StorageRoot
from lethe.study import read_study

Lethe = Callable[..., "subprocess.Popen[str]"]
LetheHere = Callable[..., tuple[int, str]]
WriteStudy = Callable[..., Path]
Rows = list[dict[str, Any]]

TRIALS = "select number, lr, density, ua, ra, va, mia, gap, status from trials order by number"
CONFIRMED = "select row, training_seed, ua, ra, ta, mia, gap, trial_id from confirmations order by all"
ONE_WORKER = {"workers": 1}
SEARCH = {"trials": 10, "window": 3}

LOCAL = ("--local",)
"""On Ray, a worker writes models and the driver writes rows: one fault of each is tried there."""

A_MODEL = ("artifacts/trained_model/*/manifest.json", 1)
TWO_TRIALS = ("tables/trials/tiny/*.parquet", 2)
A_CONFIRMATION = ("tables/confirmations/tiny/*.parquet", 1)


@cache
def undisturbed(study: str) -> tuple[Rows, Rows]:
    """What a study's text gives where nothing goes wrong."""
    with TemporaryDirectory() as folder, Progress(Console(quiet=True)) as progress:
        path = Path(folder) / "study.yaml"
        path.write_text(study)
        StudyRun(read_study(path), StorageRoot.at(folder), progress).run(local=True)
        return found_in(Path(folder))


def found_in(results: Path) -> tuple[Rows, Rows]:
    if not Store(StorageRoot.at(results)).studies():
        return [], []
    return query(TRIALS, results).to_pylist(), query(CONFIRMED, results).to_pylist()


class Disk:
    """A small disk of its own, mounted on a folder."""

    def __init__(self, folder: Path, *, bound_to: "Disk | None" = None) -> None:
        folder.mkdir()
        self.folder = folder
        self.options = ["--bind", str(bound_to.folder)] if bound_to else ["-t", "tmpfs", "-o", "size=8m", "tmpfs"]
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", *self.options, str(self.folder)], check=True)

    def remount(self, option: str) -> None:
        """Change how it is mounted; to be read-only, no file may just be being written."""
        command = ["mount", "-o", f"remount,{option}", str(self.folder)]
        until = time.monotonic() + 60
        while (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
            assert time.monotonic() < until, done.stderr
            time.sleep(0.01)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False, stderr=subprocess.DEVNULL)

    def fill(self) -> None:
        """Take all the room that is left, as another program might."""
        with (
            (self.folder / "other-program.bin").open("wb", buffering=0) as stream,
            pytest.raises(OSError, match="space"),
        ):
            while True:
                stream.write(bytes(4096))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    yield made
    made.unmount()


def wait_for(process: "subprocess.Popen[str]", results: Path, stage: tuple[str, int]) -> None:
    pattern, count = stage
    until = time.monotonic() + 300
    while len(list(results.glob(pattern))) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until, f"not {count} {pattern} in five minutes"
        time.sleep(0.005)


def check_fails(process: "subprocess.Popen[str]", *told: str) -> None:
    output, _ = process.communicate(timeout=300)
    check_says(process.returncode, output, *told)


def check_says(code: int, output: str, *told: str) -> None:
    assert code == 2, output
    assert all(text in output for text in told), output
    assert "Traceback" not in output


def check_is_whole(study: Path, results: Path) -> None:
    """All that can be read is as it would have been."""
    for found, expected in zip(found_in(results), undisturbed(study.read_text()), strict=True):
        assert all(row in expected for row in found)


def check_continues(lethe_here: LetheHere, study: Path, results: Path) -> None:
    """The same command ends complete, with the numbers of an undisturbed run."""
    code, output = lethe_here("run", study, "--results", results, "--local")
    assert code == 0, output
    assert found_in(results) == undisturbed(study.read_text())


@pytest.mark.parametrize(("stage", "mode"), [(A_MODEL, ()), (TWO_TRIALS, LOCAL), (A_CONFIRMATION, LOCAL)])
def test_a_disk_that_fills_up(
    lethe: Lethe,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    disk: Disk,
    stage: tuple[str, int],
    mode: tuple[str, ...],
) -> None:
    study, results = write_study(search=SEARCH, resources=ONE_WORKER), disk.folder / "results"
    process = lethe("run", study, "--results", results, *mode)
    wait_for(process, results, stage)
    disk.fill()
    check_fails(process, "The disk is full", str(results))
    check_is_whole(study, results)
    disk.remount("size=64m")
    check_continues(lethe_here, study, results)


@pytest.mark.parametrize(("stage", "mode"), [(A_MODEL, LOCAL), (TWO_TRIALS, LOCAL)])
def test_a_place_that_turns_read_only(
    lethe: Lethe,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    disk: Disk,
    stage: tuple[str, int],
    mode: tuple[str, ...],
) -> None:
    study, results = write_study(search=SEARCH, resources=ONE_WORKER), disk.folder / "results"
    process = lethe("run", study, "--results", results, *mode)
    wait_for(process, results, stage)
    disk.remount("ro")
    check_fails(process, "mounted read-only", str(results))
    check_is_whole(study, results)
    check_says(*lethe_here("run", study, "--results", results, "--local"), "mounted read-only", str(results))
    disk.remount("rw")
    check_continues(lethe_here, study, results)


@pytest.mark.parametrize(("stage", "mode"), [(A_MODEL, LOCAL), (TWO_TRIALS, ()), (A_CONFIRMATION, LOCAL)])
def test_a_folder_that_is_moved_away(
    lethe: Lethe,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    tmp_path: Path,
    stage: tuple[str, int],
    mode: tuple[str, ...],
) -> None:
    study, results = write_study(search=SEARCH, resources=ONE_WORKER), tmp_path / "results"
    process = lethe("run", study, "--results", results, *mode)
    wait_for(process, results, stage)
    results.rename(tmp_path / "moved")
    check_fails(process, "The folder is gone", str(results))
    assert not results.exists()
    check_is_whole(study, tmp_path / "moved")
    (tmp_path / "moved").rename(results)
    check_continues(lethe_here, study, results)


def test_a_share_that_is_unmounted_under_a_run(
    lethe: Lethe,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    disk: Disk,
    tmp_path: Path,
) -> None:
    """The folder that it was mounted on is still there, empty, and stays so."""
    study = write_study(search=SEARCH, resources=ONE_WORKER)
    share = Disk(tmp_path / "share", bound_to=disk)
    process = lethe("run", study, "--results", share.folder, "--local")
    try:
        wait_for(process, share.folder, TWO_TRIALS)
    finally:
        share.unmount()
    check_fails(process, "The folder is gone", str(share.folder))
    assert list(share.folder.iterdir()) == []
    share.mount()
    try:
        check_continues(lethe_here, study, share.folder)
    finally:
        share.unmount()


def test_a_place_that_is_read_only_from_the_start(lethe_here: LetheHere, write_study: WriteStudy, disk: Disk) -> None:
    disk.remount("ro")
    results = disk.folder / "results"
    check_says(*lethe_here("run", write_study(), "--results", results, "--local"), "mounted read-only", str(results))
