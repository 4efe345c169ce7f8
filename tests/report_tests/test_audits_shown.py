"""What tables say of audits: in the terminal, on the page, in LaTeX, from hand-made verdicts."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console
from selenium import webdriver
from selenium.webdriver.common.by import By

from lethe.report import leaderboard, print_leaderboard
from lethe.report._audits import PLACES, audits_of
from lethe.report._headline import audits_in_words
from lethe.report._latex import write_latex
from lethe.report._notes import CONTROL_AUDITS, notes_of
from lethe.report.page import render_page
from lethe.report.page._gather import gather
from lethe.report.page._glance import AUDIT_SYMBOLS, glance_of
from lethe.results import BoardRow, Results, Store, to_rows
from unlearning.audits import AUDITS, LooksAt

Record = Callable[..., None]


@pytest.fixture
def boards(store: Store, audited: Record, confirm: Record) -> Callable[[], Any]:
    """Four audited rows, and one that was not audited."""
    audited("original", [0.001, 0.001, 0.001, 0.001], _auc([0.8, 0.81, 0.79, 0.8]), metric="own_p", test="p-value")
    audited("oracle", [0.4, 0.6, 0.04, 0.9], _auc([0.5, 0.51, 0.49, 0.5]), metric="own_p", test="p-value")
    audited("salun", [0.3, 0.5, 0.4, 0.6], _auc([0.7, 0.71, 0.7, 0.7]), metric="own_p", test="p-value")
    audited("fine_tune", [0.7, 0.5, 0.4, 0.6], _auc([0.5, 0.5, 0.51, 0.49]), metric="own_p", test="p-value")
    confirm("msg", [0.0] * 4)
    return lambda: leaderboard(store.root)


def _auc(values: list[float]) -> dict[str, Any]:
    return {"metric": "own_auc", "test": "difference", "values": values}


def _means(of: dict[str, Any], values: list[float]) -> dict[str, Any]:
    return of | {"values": values}


def test_each_audited_row_has_its_verdict_and_each_statistic_its_worth(boards: Callable[[], Any]) -> None:
    [board] = boards()
    table = audits_of(board)
    assert table is not None
    assert {line.row: line.overall for line in table.rows} == {
        "original (do nothing)": "violation",
        "oracle (noise floor)": "no violation detected",
        "salun": "violation",
        "fine_tune": "no violation detected",
    }
    assert [(one.metric, one.power, one.false_alarms) for one in table.statistics] == [
        ("own_auc", "100 %", "0 of 4"),
        ("own_p", "100 %", "1 of 4"),
    ]


def test_what_is_seen_at_each_place_stands_side_by_side(store: Store, audited: Record) -> None:
    of_head = {"metric": "probe", "audit": "head", "looks_at": "representations", "test": "mean"}
    for row, outputs, inside in (("oracle", 0.5, 0.5), ("original", 0.9, 0.9), ("salun", 0.5, 0.8)):
        noise = [0.0, 0.01, -0.01, 0.005]
        audited(row, [outputs + one for one in noise], _means(of_head, [inside - one for one in noise]), test="mean")
    [board] = leaderboard(store.root)
    table = audits_of(board)
    assert table is not None
    assert table.places == ("outputs", "representations")
    said = {line.row: tuple(seen and seen.in_words for seen in line.seen) for line in table.rows}
    assert said["salun"] == ("no violation detected, 0 %", "violation, 75 %")
    assert said["oracle (noise floor)"] == ("reference", "reference")


def test_a_statistic_of_a_class_names_it(store: Store, audited: Record) -> None:
    audited("oracle", [0.50, 0.52, 0.49, 0.51], class_index=1)
    rows = to_rows(store.read("boards", "s"), BoardRow)
    store.append([replace(row, class_names=["benign", "malignant"]) for row in rows])
    [board] = leaderboard(store.root)
    table = audits_of(board)
    assert table is not None
    assert [one.metric for one in table.statistics] == ["own_auc of malignant"]


def test_results_that_do_not_say_where_audits_look_have_one_column(store: Store, audited: Record) -> None:
    audited("oracle", [0.50, 0.52, 0.49, 0.51], looks_at=None)
    [board] = leaderboard(store.root)
    table = audits_of(board)
    assert table is not None
    assert table.places == ("all audits",)


def test_the_places_of_tables_are_those_that_audits_name() -> None:
    assert get_args(LooksAt) == PLACES


def test_models_of_a_dose_come_last(boards: Callable[[], Any], audited: Record) -> None:
    audited("dose 10 %", [0.2, 0.3, 0.2, 0.2], metric="own_p", test="p-value", role="dose")
    [board] = boards()
    table = audits_of(board)
    assert table is not None
    assert [line.row for line in table.rows][-1] == "dose 10 %"
    assert "dose 10 %" not in {line.row for line in board.lines}


def test_the_terminal_names_what_a_violation_is_by(boards: Callable[[], Any]) -> None:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    with console.capture() as capture:
        print_leaderboard(boards(), console)
    said = capture.get()
    assert re.search(r"audits +outputs *\n", said)
    assert re.search(r"salun +violation *\n", said)
    assert re.search(r"fine_tune +no violation detected *\n", said)
    assert "salun: own_auc (p < 0.001)" in said
    assert "fine_tune: own" not in said
    assert re.search(r"own_auc +100 % +0 of 4 +own_p +100 % +1 of 4", said)
    assert "- No audit held the forget set against a control half (control, epsilon): that takes" in said


def test_a_table_with_a_control_half_misses_none_and_the_names_of_such_audits_are_all_that_there_are(
    store: Store, audited: Record
) -> None:
    assert tuple(name for name, audit in AUDITS.items() if audit.needs_control) == CONTROL_AUDITS
    audited("oracle", [0.50, 0.52, 0.49, 0.51], audit="control")
    [board] = leaderboard(store.root)
    assert not any("control half" in note for note in notes_of(board))


def test_the_page_has_a_table_of_audits_and_a_study_without_has_none(
    store: Store, boards: Callable[[], Any], confirm: Record
) -> None:
    def page(study: str) -> str:
        return render_page(store.root, study).html

    shown = page("s")
    assert ">Audits</h3>" in shown
    assert shown.count('class="number violation"') == 3
    assert 'salun<span class="judged violation">violation</span></th>' in shown
    confirm("salun", [0.0, 0.0, 0.0], study="plain", scenario="other")
    assert ">Audits</h3>" not in page("plain")


def test_the_latex_file_has_a_table_of_audits(store: Store, boards: Callable[[], Any], tmp_path: Path) -> None:
    [path] = write_latex(store.root, None, tmp_path / "tables")
    text = path.read_text()
    assert "-audits}" in text
    assert r"salun & violation &  & own\_auc (p \textless{} 0.001) \\" in text
    assert r"fine\_tune & no violation detected &  &  \\" in text
    assert r"own\_p & 100 \% & 1 of 4 \\" in text


def test_one_dose_is_no_range(store: Store, audited: Record) -> None:
    audited("oracle", [0.50, 0.52, 0.49, 0.51], test="mean")
    audited("original", [0.90, 0.92, 0.89, 0.92], test="mean")
    audited("salun", [0.70, 0.72, 0.69, 0.71], test="mean")
    [board] = leaderboard(store.root)
    table = audits_of(board)
    assert table is not None
    assert [line.doses for line in table.rows] == ["", "", "50 %"]


def test_a_sentence_says_which_methods_are_a_violation_and_what_the_others_are(boards: Callable[[], Any]) -> None:
    assert audits_in_words(boards()) == (
        "Audits: violation: salun; no violation detected: fine_tune; not audited: msg."
    )


def test_of_several_tables_the_sentence_counts_those_that_were_audited(
    boards: Callable[[], Any], audited: Record, confirm: Record
) -> None:
    (board,) = boards()
    confirm("salun", [0.0] * 4, scenario="never-audited")
    both = [board, board, *(one for one in boards() if one.key != board.key)]
    assert len(both) == 3
    assert audits_in_words(both) == (
        "Audits over 2 tables: violation: salun on 2; no violation detected: fine_tune on 2; not audited: msg on 2."
    )


def test_without_audits_nothing_is_said_of_them(store: Store, confirm: Record) -> None:
    confirm("salun", [0.0] * 4)
    confirm("oracle", [0.0] * 4)
    assert audits_in_words(leaderboard(store.root)) == ""
    html = render_page(store.root, None).html
    assert "glance-key audits-key" not in html
    assert 'class="audited' not in html


def test_each_square_of_the_matrix_says_what_the_audits_found(boards: Callable[[], Any], store: Store) -> None:
    assert len(boards()) == 1
    [part] = gather(Results(store.root)).studies
    glance = glance_of(part)
    assert glance is not None
    found = {row.name: row.squares[0].audits for row in glance.rows}
    assert found == {
        "original (do nothing)": "violation",
        "oracle (noise floor)": "",
        "fine_tune": "no violation detected",
        "msg": "not audited",
        "salun": "violation",
    }
    assert glance.audit_verdicts == ("violation", "no violation detected", "not audited")
    [salun] = [row.squares[0] for row in glance.rows if row.name == "salun"]
    assert salun.told.endswith("; audits: violation")


def test_the_page_shows_the_verdicts_of_audits_by_sign_and_word(boards: Callable[[], Any], store: Store) -> None:
    assert boards()
    html = render_page(store.root, None).html
    [table] = re.findall(r'<table class="glance">.*?</table>', html, re.DOTALL)
    [salun] = re.findall(r'<th scope="row">salun</th>(.*?)</tr>', table, re.DOTALL)
    sign = AUDIT_SYMBOLS["violation"]
    assert f'<span class="audited violation" aria-hidden="true">{sign}</span>' in salun
    assert '<span class="hidden">, audits: violation</span>' in salun
    assert '<p class="said violation">Audits: violation: salun; ' in html
    assert html.index('<p class="said violation">') < html.index('<table class="glance">')
    assert len(set(AUDIT_SYMBOLS.values())) == len(AUDIT_SYMBOLS)


def test_the_first_screen_of_a_phone_says_that_the_audits_find_a_violation(
    boards: Callable[[], Any], store: Store, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    assert boards()
    path = tmp_path / "report.html"
    path.write_text(render_page(store.root, None).html, encoding="utf-8")
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(path.as_uri())
    said = browser.find_element(By.CSS_SELECTOR, ".said.violation")
    assert said.text.startswith("Audits: violation: salun; ")
    assert said.rect["y"] + said.rect["height"] <= 844
    sign = browser.find_element(By.CSS_SELECTOR, ".glance .audited.violation")
    assert sign.rect["x"] + sign.rect["width"] <= 390
