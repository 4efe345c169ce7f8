"""The tables for a paper: what stands in them, and that LaTeX could read them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.report import write_latex
from lethe.results import QueryError, Store

EVIL = r"50 % of_{a}&b#c$d\e~f^g<h>|i`j --k"


def body(text: str) -> list[list[str]]:
    """The cells of a table's rows."""
    rows = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    return [row.removesuffix(r" \\").split(" & ") for row in rows]


def test_each_scenario_gets_a_table_of_its_own(store: Store, confirm: Callable[..., None], tmp_path: Path) -> None:
    for scenario in ("q1", "q2"):
        confirm("original", (0.30, 0.31, 0.32), scenario=scenario, forget=scenario)
        confirm("oracle", (0.01, 0.02, 0.06), scenario=scenario, forget=scenario)
        confirm("salun", (0.02, 0.03, 0.04), scenario=scenario, forget=scenario, ua=0.1)
    paths = write_latex(store.root, None, tmp_path / "tables")
    assert [path.name for path in paths] == ["leaderboard-s-q1.tex", "leaderboard-s-q2.tex"]
    rows = body(paths[0].read_text(encoding="utf-8"))
    assert [row[0] for row in rows] == ["original (do nothing)", "oracle (noise floor)", r"\textbf{salun}"]
    assert rows[0][5] == "31.0 [28.5, 33.5]"
    assert rows[1][5] == "3.3 [0.0, 13.7]"
    assert rows[2][5:8] == ["3.0 [0.5, 5.5]", "$+$3.2 [$+$0.7, $+$5.7]", "above the floor"]
    assert rows[2][1] == "10.0"
    [contrast] = body(paths[0].read_text(encoding="utf-8").split(r"\end{table}")[1])
    assert contrast[0] == "salun - original"
    assert contrast[3] == "closer"


def test_of_three_methods_and_more_ranks_stand_in_place_of_every_pair(
    store: Store, confirm: Callable[..., None], tmp_path: Path
) -> None:
    confirm("original", (0.40, 0.42, 0.40, 0.41, 0.40))
    for row, level in {"salun": 0.0, "scrub": 0.1, "fine_tune": 0.2, "salun random mask": 0.3}.items():
        confirm(row, [level + noise for noise in (0.010, 0.012, 0.011, 0.013, 0.014)])
    [path] = write_latex(store.root, None, tmp_path)
    _, ranks, contrasts, _ = path.read_text(encoding="utf-8").split(r"\end{table}")
    rows = body(ranks)
    assert [row[:3] for row in rows] == [
        ["1 [1, 1]", "salun", r"100 \%"],
        ["2 [2, 2]", "scrub", r"0 \%"],
        ["3 [3, 3]", "fine\\_tune", r"0 \%"],
    ]
    assert rows[1][5:] == ["$+$10.0 [$+$10.0, $+$10.0]", "3"]
    assert "3 methods against doing nothing, 3 pairs of methods, 1 control" in ranks
    assert [row[0] for row in body(contrasts)] == ["salun - salun random mask (untuned)"]


def test_arms_get_a_table_of_what_they_change(store: Store, confirm: Callable[..., None], tmp_path: Path) -> None:
    confirm("original", (0.30, 0.31, 0.32), scenario="q1", augmentation="none")
    confirm("original", (0.20, 0.21, 0.22), scenario="q2", augmentation="standard")
    path = write_latex(store.root, None, tmp_path)[-1]
    assert path.name == "augmentation-s.tex"
    [gap] = [row for row in body(path.read_text(encoding="utf-8")) if row[4] == "gap"]
    assert gap[5:] == ["standard", "21.0", "31.0", "$-$10.0 [$-$10.0, $-$10.0]", "lower"]


def test_what_latex_would_read_as_a_command_is_escaped(
    store: Store, confirm: Callable[..., None], tmp_path: Path
) -> None:
    confirm("original", (0.30, 0.31, 0.32), dataset=EVIL)
    [path] = write_latex(store.root, None, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert EVIL not in text
    assert r"50 \% of\_\{a\}\&b\#c\$d\textbackslash{}e\textasciitilde{}f\textasciicircum{}g" in text
    assert r"i\textasciigrave{}j -{}-k" in text
    bare = re.sub(r"\\.", "", text)
    assert bare.count("{") == bare.count("}")


def test_every_row_has_a_cell_a_column(store: Store, confirm: Callable[..., None], tmp_path: Path) -> None:
    confirm("original", (0.30, None, 0.32), status="diverged")
    [path] = write_latex(store.root, None, tmp_path)
    text = path.read_text(encoding="utf-8")
    columns = re.search(r"\\begin{tabular}{(\w+)}", text)
    assert columns
    assert {len(row) for row in body(text)} == {len(columns[1])}
    assert "diverged" in text


def test_a_place_without_confirmed_rows_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no results"):
        write_latex(store.root, None, tmp_path)


def test_the_command_writes_the_tables_and_no_page(
    store: Store, confirm: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    confirm("original", (0.30, 0.31, 0.32))
    done = CliRunner().invoke(app, ["report", "--results", store.root.address, "--latex", "tables"])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == "tables/leaderboard-s-q.tex"
    assert not (tmp_path / "report.html").exists()
