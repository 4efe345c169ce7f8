"""How a stream of requests is shown: once, after the table of its last request, and with two figures on the page."""

import io
import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from rich.console import Console

from lethe import study
from lethe.report import leaderboard, print_leaderboard
from lethe.report._drift import drift_in_words, drift_lines
from lethe.report._notes import notes_of
from lethe.report.page import render_page
from lethe.report.page._drift_figures import LINE, accuracies, apart, gaps
from lethe.results import Store, views

Confirm = Callable[..., None]


@pytest.fixture
def stream(confirm: Confirm) -> Confirm:
    """Records ten requests; salun's gap grows by two points with each, fine-tuning's does not."""

    def record(steps: int = 10) -> None:
        for step in range(1, steps + 1):
            of = {
                "scenario": f"q{step}",
                "forget": f"random 10 %, requests 1-{step} of {steps}",
                "forget_images": 50 * step,
                "stream": "q1",
                "step": step,
                "steps": steps,
                "images_unlearn": 100,
                "images_retrain": 400,
            }
            confirm("oracle", (0.0, 0.01, 0.02), **of)
            confirm("original", (0.1, 0.11, 0.12), **of)
            confirm("salun", (0.02 * step, 0.02 * step + 0.001, 0.02 * step + 0.002), **of)
            confirm("fine_tune", (0.05, 0.06, 0.05), **of)
        confirm("fine_tune at once", (0.05, 0.06, 0.05), **of)

    return record


def test_steps_are_in_the_order_of_the_requests(store: Store, stream: Confirm) -> None:
    stream()
    boards = leaderboard(store.root)
    assert [board.step for board in boards] == list(range(1, 11))
    assert [board.ends_stream for board in boards] == [False] * 9 + [True]


def test_the_words_say_drift_where_the_interval_leaves_out_none(store: Store, stream: Confirm) -> None:
    stream()
    words = drift_in_words(leaderboard(store.root)[-1])
    assert "salun: from the first request to the 10th its gap changed by +18.0 [+17.9, +18.1] points" in words
    assert "it drifted away from retraining" in words
    assert "fine_tune: from the first request to the 10th its gap changed by +0.0" in words
    assert "no drift that these seeds can distinguish from noise" in words
    assert "at once" not in words


def test_the_table_adds_up_costs_and_shows_what_goes_beyond_the_first_request(
    store: Store, stream: Confirm, confirm: Confirm
) -> None:
    stream(2)
    first = {"scenario": "q1", "stream": "q1", "step": 1, "steps": 2, "forget_images": 50}
    confirm("salun random mask", (0.1, 0.1, 0.1), **first)
    lines = list(drift_lines(leaderboard(store.root)[-1].drift))
    assert [line.row for line in lines] == [
        *("original",) * 2,
        *("oracle",) * 2,
        *("fine_tune",) * 2,
        "fine_tune at once",
        *("salun",) * 2,
    ]
    assert lines[-1].cells[:2] == ("2", "100")
    assert lines[-1].cells[-1] == "25.0 %"


def test_what_forgets_at_once_is_called_alike_everywhere(store: Store, stream: Confirm) -> None:
    assert views.AT_ONCE == study.AT_ONCE
    stream(2)
    [*_, last] = leaderboard(store.root)
    noted = [note for note in notes_of(last) if note.startswith("fine_tune at once: the method's setting, but from")]
    assert len(noted) == 1


def test_the_stream_is_printed_once(store: Store, stream: Confirm) -> None:
    stream(3)
    console = Console(file=io.StringIO(), width=140)
    with console.capture() as capture:
        print_leaderboard(leaderboard(store.root), console)
    printed = capture.get()
    assert printed.count("3 requests one after another") == 1
    assert printed.count("Margin of equivalence") == 1, "notes stand below the last table alone"


def test_the_page_has_its_table_and_figures(store: Store, stream: Confirm) -> None:
    stream(3)
    html = render_page(store.root, None, images=False).html
    assert html.count("Requests one after another") == 1
    assert "Gap after each request" in html
    assert "Accuracy on test after each request" in html
    [*_, board] = leaderboard(store.root)
    for drawn in (gaps(board.drift), accuracies(board.drift)):
        traces = json.loads(drawn)["data"]
        assert [one["name"] for one in traces] == [
            "oracles",
            "do nothing",
            "oracles",
            "fine_tune",
            "fine_tune at once",
            "salun",
        ]
        assert traces[-1]["x"] == [1, 2, 3]
        assert traces[3]["marker"]["symbol"] == "circle"
        assert traces[4]["marker"]["symbol"] == "circle-open"
        assert traces[5]["marker"]["symbol"] == "square"


def test_names_at_the_ends_of_lines_keep_apart_and_their_order(store: Store, stream: Confirm) -> None:
    stream(3)
    [*_, board] = leaderboard(store.root)
    names = [one["text"] for one in json.loads(gaps(board.drift))["layout"]["annotations"]]
    assert sorted(names) == ["fine_tune", "fine_tune at once", "salun"]
    assert apart([10.0, 200.0]) == [10.0, 200.0]
    assert apart([100.0, 100.0]) == [100.0 - LINE / 2, 100.0 + LINE / 2]
    heights = [50.0, 51.0, 52.0, 70.0, 71.0, 300.0]
    moved = apart(heights)
    assert moved[-1] == 300.0
    assert all(second - first >= LINE - 1e-9 for first, second in pairwise(moved))
    assert sum(moved) == pytest.approx(sum(heights))
