"""What a person sees while a study runs, where the output is no terminal."""

import io
import time

from rich.console import Console

from lethe.pipeline.progress import Progress, State, duration


def said(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_line_tells_stage_counts_and_the_best_gap_beside_what_it_is_measured_against() -> None:
    state = State("search", done=3, total=24, running=2, failed=1, best_gap=0.081, untouched_gap=0.12)
    assert state.line() == (
        "search · 3/24 done · 2 running · 1 failed or diverged · best gap 8.1 % (doing nothing 12.0 %) · about 0 s left"
    )


def test_the_time_left_counts_from_the_first_trial_and_not_from_the_wait_before_it() -> None:
    state = State("search", done=6, total=26, already=2, began=time.monotonic() - 40)
    assert state.line().endswith("about 3 min left")
    assert "left" not in State("search", done=2, total=26, already=2).line()
    assert "left" not in State("search", done=6, total=26, already=2, began=None).line()


def test_models_that_are_still_trained_are_told_beside_the_stage() -> None:
    console = Console(file=io.StringIO(), width=120)
    with Progress(console) as progress:
        progress.models(0, 6)
        progress.stage("search", 24)
    assert said(console) == ["training · artifacts 0/6", "search · artifacts 0/6 · 0/24 done"]


def test_without_a_terminal_lines_are_few_and_the_last_one_is_told() -> None:
    console = Console(file=io.StringIO(), width=120)
    with Progress(console) as progress:
        progress.stage("confirmation", 3)
        for done in (1, 2, 3):
            progress.update(done=done)
    assert said(console) == ["confirmation · 0/3 done", "confirmation · 3/3 done"]


def test_a_time_span_is_said_in_its_own_unit() -> None:
    assert [duration(seconds) for seconds in (0.4, 99, 100, 3600, 7200)] == ["0 s", "99 s", "2 min", "60 min", "2.0 h"]
