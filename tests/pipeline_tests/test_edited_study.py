"""A study that is edited and run again under its name: its tables are those of the file that was run last."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress
from lethe.pipeline.run import StudyRun
from lethe.report import Board, leaderboard
from lethe.report._notes import notes_of
from lethe.results import QueryError, Results, load
from lethe.storage.root import StorageRoot
from lethe.study import read_study

LR = {"low": 1.0e-3, "high": 1.0e-1, "log": True}


@pytest.fixture
def run(write_study: Callable[..., Path], tmp_path: Path) -> Callable[..., Board]:
    """Runs the tiny study with changes, always in the same place; gives the table."""

    def once(**changes: Any) -> Board:
        root = StorageRoot.at(tmp_path / "results")
        with Progress(Console(quiet=True)) as progress:
            StudyRun(read_study(write_study(**changes)), root, progress).run(local=True)
        [board] = leaderboard(root)
        return board

    return once


def method(epochs: int, high: float = 0.1) -> list[dict[str, Any]]:
    return [{"name": "fine_tune", "epochs": epochs, "batch_size": 32, "search": {"lr": LR | {"high": high}}}]


def test_the_table_is_of_the_file_that_was_run_last_and_an_earlier_file_finds_its_own_again(
    run: Callable[..., Board], tmp_path: Path
) -> None:
    first = run(methods=method(2), search={"trials": 2})
    edited = run(methods=method(1), search={"trials": 2})
    again = run(methods=method(2), search={"trials": 2})

    def setting(board: Board) -> str:
        return next(line.setting for line in board.lines if line.row == "fine_tune")

    assert '"epochs":2' in setting(first)
    assert '"epochs":1' in setting(edited)
    assert again.lines == first.lines
    [other] = again.others
    assert other.differences == (("methods.fine_tune.epochs", "1", "2"),)
    assert f"--specification {other.specification_id[:8]}" in " ".join(notes_of(again))
    [shown] = leaderboard(StorageRoot.at(tmp_path / "results"), "tiny", other.specification_id[:8])
    assert shown.lines == edited.lines
    current = {row["method"]: row["current"] for row in load(str(tmp_path / "results"), "chosen").to_pylist()}
    assert current == {"fine_tune": True}
    with pytest.raises(QueryError, match=r"no specification .* begins with 'zz'; there are"):
        Results(str(tmp_path / "results"), "tiny", "zz")


def test_seeds_that_were_changed_leave_the_table_and_its_floor(run: Callable[..., Board]) -> None:
    run(methods=method(1), search={"trials": 1}, seeds={"tuning": [0], "reporting": [1, 2, 3]})
    board = run(methods=method(1), search={"trials": 1}, seeds={"tuning": [1], "reporting": [4, 5]})
    assert {tuple(line.reporting_seeds) for line in board.lines} == {(4, 5)}
    assert {line.noise_floor_seeds for line in board.lines} == {3}
    assert [tuple(line.tuning_seeds or ()) for line in board.lines] == [(1,)] * 3


def test_a_shorter_search_of_the_same_cell_reports_its_own_choice(run: Callable[..., Board]) -> None:
    short = run(methods=method(1), search={"trials": 2})
    long = run(methods=method(1), search={"trials": 5})
    again = run(methods=method(1), search={"trials": 2})
    trials = [next(line.tuning_trials for line in board.lines if line.row == "fine_tune") for board in (short, long)]
    assert trials == [2, 5]
    assert again.lines == short.lines
