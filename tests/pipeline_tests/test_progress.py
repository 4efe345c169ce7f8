"""What a person sees while a study runs, and what the run records of it."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lethe.pipeline.progress import Progress, Stage, State
from lethe.results.progress import Best, Part, RunProgress, read_progress, write_progress
from lethe.storage.root import StorageRoot

BEST = Best(scenario="organ, augmentation none, forget random 10 %", method="salun", gap=0.081, original_gap=0.12)


def said(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def quiet() -> Console:
    return Console(file=io.StringIO(), width=120)


def begun(progress: Progress, recorded: list[RunProgress], **stages: Stage) -> None:
    alike: dict[str, Any] = {"artifacts": Stage(total=6), "trials": Stage(total=24), "confirmations": Stage(total=3)}
    progress.begin("s", **(alike | stages), record=recorded.append)


def test_a_line_shows_all_stages_and_the_best_gap_beside_what_it_is_measured_against() -> None:
    other = BEST.model_copy(update={"gap": 0.2})
    state = State(
        Stage(6, 6), Stage(3, 24), Stage(0, 3), running=2, failed=1, best=(other, BEST), began=time.monotonic() - 240
    )
    assert state.recorded("s").line == (
        "27 % · artifacts 6/6 · trials 3/24 · confirmed 0/3 · 2 running · 1 failed or diverged · "
        "best gap 8.1 % (doing nothing 12.0 %) · about 11 min left"
    )
    assert State(trials=Stage(total=4)).recorded("s").line == "0 % · trials 0/4"


def test_the_time_left_is_that_of_all_stages_by_their_work() -> None:
    trainings, trials, rows = Stage(2, 4, each=10.0), Stage(0, 8, each=2.0), Stage(4, 6, already=4, each=2.0)
    state = State(trainings, trials, rows, began=time.monotonic() - 40)
    assert state.share == pytest.approx((20 + 8) / (40 + 16 + 12))
    assert state.seconds_left == pytest.approx(40 / 20 * (20 + 16 + 4), rel=0.01)


@pytest.mark.parametrize("done", [2, 10])
def test_before_the_first_unit_and_after_the_last_no_time_is_left(done: int) -> None:
    assert State(trials=Stage(done, 10, already=2), began=time.monotonic() - 9).seconds_left is None or done == 10
    assert State(trials=Stage(done, 10, already=done), began=time.monotonic() - 9).seconds_left is None


def test_the_first_of_many_units_does_not_say_how_long_the_rest_takes() -> None:
    assert State(trials=Stage(2, 100), began=time.monotonic() - 60).seconds_left is None
    assert State(trials=Stage(3, 100), began=time.monotonic() - 60).seconds_left == pytest.approx(20 * 97, rel=0.01)


def test_the_time_left_does_not_jump_from_one_stage_to_the_next() -> None:
    before = State(Stage(4, 4, each=10.0), Stage(0, 20, each=2.0), began=time.monotonic() - 40)
    after = State(Stage(4, 4, each=10.0), Stage(1, 20, each=2.0), began=time.monotonic() - 42)
    assert before.seconds_left is not None
    assert after.seconds_left is not None
    assert abs(after.seconds_left - before.seconds_left) < 4


def test_without_a_terminal_lines_are_few_and_the_last_one_is_said() -> None:
    console = quiet()
    with Progress(console) as progress:
        begun(progress, [], artifacts=Stage(), trials=Stage(2, 2, 2))
        for done in (1, 2, 3):
            progress.confirmed(done, 3)
    assert said(console) == ["40 % · trials 2/2 · confirmed 0/3", "100 % · trials 2/2 · confirmed 3/3"]


def test_a_terminal_has_a_bar_over_the_whole_run() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with Progress(console) as progress:
        begun(progress, [])
        progress.searched(12, 24, 2, 0, [BEST])
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        assert progress._live
        progress._live.refresh()
        shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "━" in shown
    assert "36 % · artifacts 0/6 · trials 12/24" in shown


def test_a_run_is_recorded_when_it_begins_changes_and_ends() -> None:
    recorded: list[RunProgress] = []
    with pytest.raises(KeyError), Progress(quiet()) as progress:
        begun(progress, recorded)
        progress._recorded_at = float("-inf")
        progress.searched(3, 24, 2, 1, [BEST])
        raise KeyError
    first, second, last = recorded
    assert (first.trials, first.ended) == (Part(done=0, total=24), None)
    assert (second.trials, second.running, second.failed, second.best) == (Part(done=3, total=24), 2, 1, (BEST,))
    assert (last.trials, last.ended) == (second.trials, "stopped")
    with Progress(quiet()) as progress:
        begun(progress, recorded)
    assert recorded[-1].ended == "finished"


def test_a_record_is_read_as_it_was_written_and_a_broken_one_is_left_out(tmp_path: Path) -> None:
    root, recorded = StorageRoot.at(tmp_path), list[RunProgress]()
    with Progress(quiet()) as progress:
        begun(progress, recorded)
    write_progress(root, recorded[0])
    write_progress(root, recorded[1].model_copy(update={"study": "other"}))
    assert read_progress(root, "s") == [recorded[0]]
    assert [one.study for one in read_progress(root)] == ["other", "s"]
    root.write("progress/s.json", b"{")
    assert read_progress(root, "s") == []
    assert read_progress(root, "none") == []
