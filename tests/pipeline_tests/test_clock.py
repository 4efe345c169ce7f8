"""A clock that jumps back and forth by hours while a study runs."""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.results import query
from lethe.results.provenance import Stopwatch
from lethe.storage.root import StorageRoot
from lethe.study import read_study

WriteStudy = Callable[..., Path]
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NUMBERS = "select number, lr, density, ua, ra, va, mia, gap, status from trials order by number"


def run(study: Path, results: Path) -> None:
    with Progress(Console(quiet=True)) as progress:
        study_run = StudyRun(read_study(study), StorageRoot.at(results), progress)
        study_run.run(local=True)
    assert study_run.problems == []


def run_while_the_clock_jumps(study: Path, results: Path) -> None:
    over, hours = threading.Event(), random.Random(0)

    def jump(clock: time_machine.Traveller) -> None:
        while not over.wait(0.003):
            clock.shift(hours.uniform(-6, 6) * 3600)

    with time_machine.travel(NOW, tick=True) as clock:
        jumper = threading.Thread(target=jump, args=(clock,))
        jumper.start()
        try:
            run(study, results)
        finally:
            over.set()
            jumper.join()


@pytest.fixture
def jumped(write_study: WriteStudy, tmp_path: Path) -> Path:
    """The results of a study under a clock that jumped."""
    run_while_the_clock_jumps(write_study(), tmp_path / "results")
    return tmp_path / "results"


def test_a_jumping_clock_makes_no_time_wrong_and_changes_no_number(
    jumped: Path, write_study: WriteStudy, tmp_path: Path
) -> None:
    for table in ("trials", "confirmations", "artifacts"):
        sql = f"select epoch(ended_at) - epoch(started_at) lasted, seconds_total, epoch(started_at) began from {table}"
        rows = query(sql, jumped).to_pylist()
        assert all(abs(row["lasted"] - row["seconds_total"]) < 1 for row in rows)
        assert all(row["lasted"] >= 0 for row in rows)
        began = [row["began"] for row in rows]
        assert max(began) - min(began) > 3600, "the clock did not jump"
    seconds = query("select table_name, column_name from columns where unit = 's'", jumped).to_pylist()
    assert len(seconds) > 10
    for column in seconds:
        least = query(f"select min({column['column_name']}) least from {column['table_name']}", jumped).to_pylist()
        assert least[0]["least"] is None or least[0]["least"] >= 0, column
    run(write_study(), tmp_path / "steady")
    assert query(NUMBERS, jumped).to_pylist() == query(NUMBERS, tmp_path / "steady").to_pylist()


def test_a_study_goes_on_though_the_clock_was_set_back_by_years(
    jumped: Path, write_study: WriteStudy, tmp_path: Path
) -> None:
    longer = write_study(search={"trials": 7, "window": 2})
    with time_machine.travel(datetime(2001, 1, 1, tzinfo=UTC), tick=True):
        run(longer, jumped)
    run(longer, tmp_path / "steady")
    assert query(NUMBERS, jumped).to_pylist() == query(NUMBERS, tmp_path / "steady").to_pylist()


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_stopwatch_does_not_follow_the_clock(hours: int) -> None:
    with time_machine.travel(NOW, tick=True) as clock:
        stopwatch = Stopwatch()
        clock.shift(hours * 3600)
        assert 0 <= stopwatch.seconds < 3600
        assert stopwatch.started_at <= stopwatch.ended_at
        assert (stopwatch.ended_at - stopwatch.started_at).total_seconds() < 3600
