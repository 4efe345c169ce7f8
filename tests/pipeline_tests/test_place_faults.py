"""A results place that fills up, turns read-only or vanishes while a study runs: told, nothing whole lost, mended."""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import pytest
from forked_lethe import ForkedLethe
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import Store, query
from lethe.storage.root import StorageRoot
from lethe.study import read_study

Lethe = Callable[..., ForkedLethe]
LetheHere = Callable[..., tuple[int, str]]
WriteStudy = Callable[..., Path]
Rows = list[dict[str, Any]]
Strike = Callable[[], object]
RunUntil = Callable[[str, Path, Path, tuple[str, int], Strike], tuple[int, str]]

TRIALS = "select number, lr, density, ua, ra, va, mia, gap, status from trials order by number"
CONFIRMED = "select row, training_seed, ua, ra, ta, mia, gap, trial_id from confirmations order by all"
ONE_WORKER = {"workers": 1}
SEARCH = {"trials": 10, "window": 3}

A_MODEL = ("artifacts/trained_model/*/manifest.json", 1)
TWO_TRIALS = ("tables/trials/tiny/*.parquet", 2)
A_CONFIRMATION = ("tables/confirmations/tiny/*.parquet", 1)

RAY, HERE = "Ray", "this process"
"""On Ray, a worker writes models and the driver writes rows: one fault of each is tried there."""


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


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock that a run leaves where it cannot write is soon that of a dead holder, though this process lives on."""
    monkeypatch.setattr("lethe.storage.writer_lock.DEAD_S", 0.5)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    yield made
    made.unmount()


def wait_for(results: Path, stage: tuple[str, int], is_over: Callable[[], bool]) -> None:
    pattern, count = stage
    until = time.monotonic() + 300
    while len(list(results.glob(pattern))) < count:
        assert not is_over(), f"ended with fewer than {count} {pattern}"
        assert time.monotonic() < until, f"not {count} {pattern} in five minutes"
        time.sleep(0.005)


@pytest.fixture
def run_until(lethe: Lethe, lethe_here: LetheHere) -> RunUntil:
    """Runs a study, has something strike when it has come to a stage, and gives its exit code and output."""

    def run(where: str, study: Path, results: Path, stage: tuple[str, int], strike: Strike) -> tuple[int, str]:
        arguments = ("run", study, "--results", results)
        if where == RAY:
            process = lethe(*arguments)
            wait_for(results, stage, lambda: process.poll() is not None)
            strike()
            output, _ = process.communicate(timeout=300)
            return process.returncode, output
        over = Event()

        def strike_in_time() -> None:
            wait_for(results, stage, over.is_set)
            strike()

        with ThreadPoolExecutor(1) as beside:
            struck = beside.submit(strike_in_time)
            try:
                return lethe_here(*arguments, "--local")
            finally:
                over.set()
                struck.result()

    return run


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


@pytest.mark.parametrize(("stage", "where"), [(A_MODEL, RAY), (TWO_TRIALS, HERE), (A_CONFIRMATION, HERE)])
def test_a_disk_that_fills_up(
    run_until: RunUntil,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    disk: Disk,
    stage: tuple[str, int],
    where: str,
) -> None:
    study, results = write_study(search=SEARCH, resources=ONE_WORKER), disk.folder / "results"
    ended = run_until(where, study, results, stage, disk.fill)
    check_says(*ended, "The disk is full", str(results))
    check_is_whole(study, results)
    disk.remount("size=64m")
    check_continues(lethe_here, study, results)


@pytest.mark.parametrize("stage", [A_MODEL, TWO_TRIALS])
def test_a_place_that_turns_read_only(
    run_until: RunUntil,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    disk: Disk,
    stage: tuple[str, int],
) -> None:
    study, results = write_study(search=SEARCH, resources=ONE_WORKER), disk.folder / "results"
    ended = run_until(HERE, study, results, stage, lambda: disk.remount("ro"))
    check_says(*ended, "mounted read-only", str(results))
    check_is_whole(study, results)
    check_says(*lethe_here("run", study, "--results", results, "--local"), "mounted read-only", str(results))
    disk.remount("rw")
    check_continues(lethe_here, study, results)


@pytest.mark.parametrize(("stage", "where"), [(A_MODEL, HERE), (TWO_TRIALS, RAY), (A_CONFIRMATION, HERE)])
def test_a_folder_that_is_moved_away(
    run_until: RunUntil,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    tmp_path: Path,
    stage: tuple[str, int],
    where: str,
) -> None:
    study, results = write_study(search=SEARCH, resources=ONE_WORKER), tmp_path / "results"
    ended = run_until(where, study, results, stage, lambda: results.rename(tmp_path / "moved"))
    check_says(*ended, "The folder is gone", str(results))
    assert not results.exists()
    check_is_whole(study, tmp_path / "moved")
    (tmp_path / "moved").rename(results)
    check_continues(lethe_here, study, results)


def test_a_share_that_is_unmounted_under_a_run(
    run_until: RunUntil,
    lethe_here: LetheHere,
    write_study: WriteStudy,
    disk: Disk,
    tmp_path: Path,
) -> None:
    """The folder that it was mounted on is still there, empty, and stays so."""
    study = write_study(search=SEARCH, resources=ONE_WORKER)
    share = Disk(tmp_path / "share", bound_to=disk)
    try:
        ended = run_until(HERE, study, share.folder, TWO_TRIALS, share.unmount)
    finally:
        share.unmount()
    check_says(*ended, "The folder is gone", str(share.folder))
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
