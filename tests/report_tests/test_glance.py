"""The first section of the page: a matrix of excesses, every gap, what each costs, and which measure makes it."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import numpy as np
import pytest

from lethe.report import leaderboard
from lethe.report.page import render_page
from lethe.report.page._gather import StudyPart, gather
from lethe.report.page._glance import Glance, Square, glance_of
from lethe.report.page._glance_figures import forest, front
from lethe.report.page._parts import Parts, parts_of
from lethe.results import (
    BoardRow,
    ConfirmationRow,
    EpochRow,
    Results,
    Row,
    Store,
    TrialRow,
)
from lethe.results.part import encode
from lethe.results.schema import to_table

Confirm = Callable[..., None]

ORACLES = (0.00, 0.01, 0.03, 0.06, 0.10)
NOISE = (0.010, 0.012, 0.011, 0.010, 0.012)


def part_of(store: Store) -> StudyPart:
    [part] = gather(Results(store.root)).studies
    return part


def matrix_of(store: Store) -> Glance:
    glance = glance_of(part_of(store))
    assert glance is not None
    return glance


def squares(glance: Glance, column: int = 0) -> dict[str, Square]:
    return {row.name: row.squares[column] for row in glance.rows}


def fill(confirm: Confirm, **changes: Any) -> None:
    """A board: salun on the oracles, scrub hardly apart from it, ssd far away, and an untuned control."""
    confirm("oracle", ORACLES, **changes)
    confirm("original", (0.30, 0.32, 0.30, 0.31, 0.30), **changes)
    for row, mean, shift in (("ssd", 0.12, 2), ("scrub", 0.001, 1), ("salun", 0.0, 0), ("salun density 1.0", 0.05, 1)):
        gaps = [mean + one for one in NOISE[shift:] + NOISE[:shift]]
        confirm(row, gaps, compute_share={"salun": 0.3, "scrub": 0.1}.get(row, 0.4), **changes)


def test_the_matrix_has_doing_nothing_the_floor_methods_by_rank_and_their_controls(
    store: Store, confirm: Confirm
) -> None:
    fill(confirm)
    glance = matrix_of(store)
    assert [(row.name, row.kind) for row in glance.rows] == [
        ("original (do nothing)", "original"),
        ("oracle (noise floor)", "oracle"),
        ("salun", "method"),
        ("salun density 1.0, untuned", "control"),
        ("scrub", "method"),
        ("ssd", "method"),
    ]
    assert (glance.heads, glance.columns[0].names) == (
        ("data set", "augmentation", "forget"),
        ("bloodmnist", "none", "random 10 %"),
    )
    assert (glance.columns[0].seeds, glance.overall, glance.margins) == (5, "", ("1.0",))


def test_a_square_has_excess_verdict_colour_and_whether_it_is_first_or_tied(store: Store, confirm: Confirm) -> None:
    fill(confirm)
    lines = {line.row: line for line in leaderboard(store.root)[0].lines}
    found = squares(matrix_of(store))
    assert {name: (one.verdict, one.place) for name, one in found.items()} == {
        "original (do nothing)": ("above the floor", ""),
        "oracle (noise floor)": ("", ""),
        "salun": (lines["salun"].verdict, "first"),
        "salun density 1.0, untuned": (lines["salun density 1.0"].verdict, ""),
        "scrub": (lines["scrub"].verdict, "tied"),
        "ssd": ("above the floor", ""),
    }
    ssd = lines["ssd"]
    assert ssd.excess is not None and 0.08 <= ssd.excess < 0.16
    assert (found["ssd"].shown, found["ssd"].heat) == (f"+{100 * ssd.excess:.1f}", 4)
    assert found["original (do nothing)"].heat == 5
    assert found["oracle (noise floor)"].shown == f"{100 * (lines['oracle'].gap or 0):.1f}"


def test_each_scenario_is_a_column_and_a_row_that_it_lacks_is_empty(store: Store, confirm: Confirm) -> None:
    fill(confirm)
    confirm("original", (0.1, 0.2, 0.3), scenario="q1", augmentation="standard", network="cnn")
    glance = matrix_of(store)
    assert glance.heads == ("data set", "augmentation", "forget", "network")
    assert [column.names for column in glance.columns] == [
        ("bloodmnist", "none", "random 10 %", "resnet18"),
        ("bloodmnist", "standard", "random 10 %", "cnn"),
    ]
    assert squares(glance, 1)["salun"] == Square("", "", None, "", "", "not part of this table")
    assert squares(glance, 1)["original (do nothing)"].shown == "gap 20.0"


def test_a_row_that_is_not_whole_says_so_in_its_square(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES)
    confirm("salun", (0.1, 0.1, None), status="diverged")
    assert squares(matrix_of(store))["salun"].shown == "diverged"


def test_a_matrix_of_many_scenarios_ends_and_says_so(store: Store, confirm: Confirm) -> None:
    for number in range(22):
        confirm("original", (0.1,), scenario=f"q{number:02}", forget=f"{number:02}")
    glance = matrix_of(store)
    assert (len(glance.columns), glance.left_out) == (20, 2)
    assert "The first 20 of 22 scenarios" in render_page(store.root, None).html


def test_a_study_beyond_the_drawn_scenarios_has_its_matrix_and_no_figures(store: Store, confirm: Confirm) -> None:
    for number in range(20):
        confirm("original", (0.1,), scenario=f"q{number:02}", forget=f"{number:02}")
    confirm("original", (0.1, 0.2), scenario="late", study="t")
    html = render_page(store.root, None).html
    assert html.count('<table class="glance">') == 2
    assert html.count('<p class="title">Every gap, with its 95 % interval</p>') == 20


def test_the_page_shows_colours_symbols_and_marks_with_words_beside_them(store: Store, confirm: Confirm) -> None:
    fill(confirm)
    html = render_page(store.root, None).html
    [table] = re.findall(r'<table class="glance">.*?</table>', html, re.DOTALL)
    rows = {
        re.sub("<[^>]*>", "", name): " ".join(unescape(re.sub("<[^>]*>", "", cell)).split())
        for name, cell in re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    }
    assert re.fullmatch(r"★ \S+ ≈, equivalent, smallest gap \[.*\]", rows["salun"])
    assert re.fullmatch(r"☆ \S+ ≈, equivalent, tied \[.*\]", rows["scrub"])
    assert re.fullmatch(r"\+\S+ ▲, above the floor \[.*\]", rows["ssd"])
    assert 'class="number heat-0 first"' in table
    assert re.search(r'<p class="headline">salun has the smallest gap of 3 methods, tied with scrub', html)


def test_every_gap_is_drawn_with_its_interval_the_floor_and_doing_nothing(store: Store, confirm: Confirm) -> None:
    fill(confirm)
    [board] = leaderboard(store.root)
    drawn = json.loads(forest(board) or "")
    axis = drawn["layout"]["yaxis"]
    at = dict(zip(axis["ticktext"], axis["tickvals"], strict=True))
    points = {
        y: (x, x - low, x + high, trace["name"])
        for trace in drawn["data"]
        for x, y, low, high in zip(
            trace["x"], trace["y"], trace["error_x"]["arrayminus"], trace["error_x"]["array"], strict=True
        )
    }
    lines = {line.row: line for line in board.lines}
    for label, row in (("<b>salun</b>", "salun"), ("<b>ssd</b>", "ssd"), ("do nothing", "original")):
        line = lines[row]
        assert points[at[label]][:3] == pytest.approx(
            [100 * (one or 0) for one in (line.gap, line.gap_low, line.gap_high)], rel=1e-3
        )
        assert points[at[label]][3] == line.verdict
    assert sorted(at.values(), reverse=True) == [at[name] for name in sorted(at, key=lambda one: points[at[one]][0])]
    ends = [(shape["x0"], shape["x1"]) for shape in drawn["layout"]["shapes"]]
    oracle, original = lines["oracle"], lines["original"]
    for shape, expected in zip(
        ends,
        [(oracle.gap_low, oracle.gap_high), (oracle.gap, oracle.gap), (original.gap, original.gap)],
        strict=True,
    ):
        assert shape == pytest.approx([100 * (one or 0) for one in expected], rel=1e-3)


def test_gaps_without_an_interval_are_drawn_and_no_gap_is_not(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1,))
    [board] = leaderboard(store.root)
    [trace] = json.loads(forest(board) or "")["data"]
    assert (trace["x"], trace["error_x"]["array"]) == ([10.0], [0.0])
    confirm("salun", (None,))
    [board] = leaderboard(store.root)
    assert forest(board) is None


def test_gap_against_images_is_drawn_with_the_front_named(store: Store, confirm: Confirm) -> None:
    fill(confirm)
    [board] = leaderboard(store.root)
    traces = {trace["name"]: trace for trace in json.loads(front(board) or "")["data"]}
    assert traces["on the front"]["text"] == ["scrub", "salun"]
    assert traces["on the front"]["textposition"] == ["bottom right", "bottom right"]
    assert traces["on the front"]["x"] == traces["front"]["x"] == [10.0, 30.0]
    assert (traces["other methods"]["text"], traces["other methods"]["x"]) == (["ssd"], [40.0])
    assert "no other method has less of both than salun (gap 1.1, 30.0 %); scrub" in render_page(store.root, None).html


def test_without_two_methods_or_their_images_there_is_no_front(store: Store, confirm: Confirm) -> None:
    confirm("salun", (0.1, 0.2, 0.3), compute_share=0.1)
    assert front(leaderboard(store.root)[0]) is None
    confirm("ssd", (0.1, 0.2, 0.3), compute_share=None)
    confirm("salun", (0.1, 0.2, 0.3), compute_share=None)
    assert front(leaderboard(store.root)[0]) is None


def parts(store: Store) -> Parts:
    [scenario] = part_of(store).scenarios
    found = parts_of(scenario)
    assert found is not None
    return found


def test_what_the_measures_add_makes_the_gap_and_the_largest_is_marked(store: Store, confirm: Confirm) -> None:
    confirm("oracle", ORACLES[:3])
    confirm("salun", (0.1, 0.1, 0.1), ra=0.5)
    rows = {row.name: row for row in parts(store).rows}
    measured = [(0.9 - one) - 0.5 for one in ORACLES[:3]]
    assert [one.part for one in rows["salun"].strips] == ["2.5", f"{100 * np.mean(measured) / 4:.1f}", "2.5", "2.5"]
    assert [one.largest for one in rows["salun"].strips] == [False, True, False, False]
    assert (
        rows["salun"].strips[0].told
        == f"{100 * (0.2 + np.mean(ORACLES[:3]) + 0.1):.1f} %, +10.0 [+9.9, +10.1] to its oracles"
    )
    assert all(one.part == "" for one in rows["oracle (noise floor)"].strips)


def test_dots_are_the_seeds_and_the_band_all_oracles_those_of_tuning_seeds_too(store: Store, confirm: Confirm) -> None:
    confirm("oracle", (0.0, 0.1, 0.2))
    confirm("oracle", (0.4,), seeds=[9], role="tuning")
    confirm("salun", (0.2, 0.2, 0.2))
    found = parts(store)
    assert found.heads[0] == ("UA", "20.0", "60.0")
    [oracle, salun] = [row.strips[0] for row in found.rows]
    assert salun.dots == pytest.approx((50, 75, 100))
    assert salun.mean == pytest.approx(75)
    assert salun.band == oracle.band == pytest.approx((0, 100))


def test_the_parts_of_the_gap_add_up_in_the_view(store: Store, confirm: Confirm) -> None:
    fill(confirm)
    found = Results(store.root).query(
        "select l.row, any_value(gap) as gap, sum(gap_part) as parts "
        "from deviations d join leaderboard l using (study, scenario, row) group by l.row"
    )
    rows = found.to_pylist()
    assert len(rows) == 5
    for row in rows:
        assert row["parts"] == pytest.approx(row["gap"])


MEGABYTE = 1e6


def test_a_page_of_a_thousand_trials_and_twelve_scenarios_stays_small_and_holds_plotly_once(
    store: Store, make: Callable[..., Any]
) -> None:
    random = np.random.default_rng(0)
    rows: dict[str, list[Row]] = {"confirmations": [], "boards": [], "trials": [], "epochs": []}
    for number in range(12):
        about = {"scenario": f"q{number}", "forget": f"class {number}"}
        for row in ("original", "oracle", "salun", "scrub", "ssd", "fine_tune", "salun density 1.0"):
            for seed in range(1, 6):
                values = dict(zip(("ua", "ra", "ta", "mia"), random.uniform(0.1, 0.9, 4).tolist(), strict=True))
                model = about | {"row": row, "method": row.split()[0], "training_seed": seed}
                searched = row in ("salun", "scrub", "ssd", "fine_tune")
                model |= {"method_search": f"c-{number}-{row}" if searched else None}
                model |= {"confirmation_id": f"{row}-{number}-{seed}".replace(" ", "-")}
                measured = {"gap": 0.0 if row == "oracle" else float(random.uniform(0, 0.3)), "compute_share": 0.2}
                measured |= values | {f"oracle_{name}": value + 0.1 for name, value in values.items()}
                rows["confirmations"].append(make(ConfirmationRow, **model, **measured))
                del model["forget"]
                rows["boards"].append(make(BoardRow, **model))
        for trial in range(84):
            method = ("salun", "scrub", "ssd", "fine_tune")[trial % 4]
            setting = {"name": method, "lr": float(random.uniform(0.001, 0.1)), "density": float(random.uniform(0, 1))}
            unit = {"trial_id": f"t-{number}-{trial}", "method_search": f"c-{number}-{method}"}
            tried = {"number": trial // 4, "setting": json.dumps(setting), "gap": float(random.uniform(0, 0.3))}
            tried |= {"method": method, "lr": setting["lr"], "density": setting["density"], "original_gap": 0.2}
            rows["trials"].append(make(TrialRow, **about, **unit, **tried))
            rows["epochs"] += [make(EpochRow, **unit, epoch=one, ua=0.1, ra=0.9, va=0.8, mia=0.2) for one in (1, 2, 3)]
    for table, of_table in rows.items():
        merged = f"tables/{table}/s/merged/00000001-0000000a.parquet"
        store.root.write(merged, encode(to_table(of_table, type(of_table[0]))))
    assert len(rows["trials"]) > 1000
    html = render_page(store.root, None).html
    assert html.count('<p class="title">Best gap against trials</p>') == 48
    assert len(html.encode()) < 8 * MEGABYTE
    assert html.count("plotly.js v") == 1
