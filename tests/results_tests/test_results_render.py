"""Answers as text: nothing is lost, nothing is taken for markup, whatever DuckDB returns."""

import csv
import io
import json
import math
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from lethe.results.render import TextFormat, render

FORMATS: tuple[TextFormat, ...] = ("table", "csv", "json", "markdown", "latex")

ANSWER = pa.table(
    {
        "name": ["salun | random", None],
        "gap": [0.123456789, float("nan")],
        "seconds": [98765.4321, 1.2e-7],
        "per_seed": [[0.1, 0.2], []],
        "at": [datetime(2026, 11, 23, 9, 30, tzinfo=UTC), None],
        "good": [True, False],
    }
)


def test_json_gives_records_with_every_digit_and_null_for_what_json_has_not() -> None:
    first, second = json.loads(render(ANSWER, "json"))
    assert first == {
        "name": "salun | random",
        "gap": 0.123456789,
        "seconds": 98765.4321,
        "per_seed": [0.1, 0.2],
        "at": "2026-11-23T09:30:00+00:00",
        "good": True,
    }
    assert second["gap"] is None
    assert second["name"] is None


def test_csv_reads_back_with_every_digit() -> None:
    header, first, second = csv.reader(io.StringIO(render(ANSWER, "csv")))
    assert header == ANSWER.column_names
    assert first == ["salun | random", "0.123456789", "98765.4321", "[0.1, 0.2]", "2026-11-23T09:30:00+00:00", "True"]
    assert second == ["", "nan", "1.2e-07", "[]", "", "False"]


def test_markdown_keeps_bars_and_line_breaks_inside_their_cell() -> None:
    lines = render(pa.table({"a|b": ["x|y\nz"], "gap": [0.25]}), "markdown").splitlines()
    assert lines == ["| a\\|b | gap |", "| --- | --- |", "| x\\|y<br>z | 0.25 |"]


def test_a_table_for_the_terminal_has_readable_numbers() -> None:
    text = render(ANSWER, "table")
    assert "0.1235" in text
    assert "98765" in text
    assert "1.2e-07" in text
    assert "2026-11-23T09:30:00+00:00" in text


@pytest.mark.parametrize("cell", ["[Errno 28] No space", "[/bold] x", "[red]", "a [b]c[/b]"])
def test_brackets_are_not_taken_for_markup(cell: str) -> None:
    text = render(pa.table({cell: [cell]}), "table")
    assert text.count(cell) == 2


@pytest.mark.parametrize("form", FORMATS)
def test_columns_of_the_same_name_keep_their_own_values(form: TextFormat) -> None:
    table = duckdb.sql("select 17 as a, 23 as a").to_arrow_table()
    if form == "json":
        with pytest.raises(ValueError, match="several columns are named a"):
            render(table, form)
        return
    text = render(table, form)
    assert "23" in text
    assert "17" in text


HOSTILE = "\x1b]0;owned\x07 \x9b2J \u202egnp.exe\u2069 \r\x00 é 漢"
SHOWN = r"\x1b]0;owned\x07 \x9b2J \u202egnp.exe\u2069 \x0d\x00 é 漢"


@pytest.mark.parametrize("form", FORMATS)
def test_control_characters_of_names_are_shown_and_not_obeyed(form: TextFormat) -> None:
    table = pa.table({HOSTILE: [HOSTILE], "list": [[HOSTILE]], "map": [{"key": HOSTILE}]})
    text = render(table, form)
    assert not set("\x1b\x07\x9b\u202e\u2069\r\x00") & set(text)
    if form == "json":
        assert json.loads(text) == table.to_pylist()
    elif form == "latex":
        assert text.count(r"\textbackslash{}x1b]0;owned\textbackslash{}x07") == 2
    else:
        assert text.count(SHOWN) == 2


def test_a_text_that_a_spreadsheet_would_take_for_a_formula_gets_an_apostrophe_in_csv() -> None:
    table = pa.table({"=name": ["=HYPERLINK(1)", " @x", "plain", None], "gap": [-0.5, 0.5, 1.0, 2.0]})
    assert render(table, "csv").splitlines() == ["'=name,gap", "'=HYPERLINK(1),-0.5", "' @x,0.5", "plain,1.0", ",2.0"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_number_that_is_not_finite_does_not_pass_for_null(form: TextFormat) -> None:
    text = render(pa.table({"gap": [math.nan, -math.inf, None]}), form)
    if form == "json":
        assert json.loads(text) == [{"gap": None}] * 3
    else:
        assert "nan" in text
        assert "-inf" in text


@pytest.mark.parametrize("form", FORMATS)
def test_whatever_duckdb_returns_is_written(form: TextFormat) -> None:
    sql = (
        "select sum(3) s, 1.5 d, [1.5] l, date '2026-01-01' the_day, interval 1 hour i, {'x': 1.5} st, map {'a': 1} m, "
        "'x'::blob b, 'nan'::double n, uuid '00000000-0000-0000-0000-000000000001' u, null as nothing"
    )
    text = render(duckdb.sql(sql).to_arrow_table(), form)
    assert "2026-01-01" in text
    if form == "json":
        assert json.loads(text)[0] | {"i": ""} == json.loads(text)[0] | {"i": "", "s": 3, "d": 1.5, "l": [1.5]}


@pytest.mark.parametrize("form", FORMATS)
def test_an_answer_without_rows_keeps_its_columns(form: TextFormat) -> None:
    text = render(pa.table({"gap": pa.array([], pa.float64())}), form)
    assert text == "[]" if form == "json" else "gap" in text


def test_latex_is_a_booktabs_table_whose_text_prints_as_it_is() -> None:
    table = pa.table({"row_name": ["a_b & 10 % of $1 {x} #2 ~ ^ \\ <≈>"], "gap": [0.25]})
    assert render(table, "latex").splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"row\_name & gap \\",
        r"\midrule",
        r"a\_b \& 10 \% of \$1 \{x\} \#2 \textasciitilde{} \textasciicircum{} \textbackslash{} "
        r"\textless{}$\approx$\textgreater{} & 0.25 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.00104, "0.00104"),
        (0.000123456, "0.0001235"),
        (0.0000123456, "1.235e-05"),
        (0.98765, "0.9877"),
        (1.0, "1"),
        (12.3456, "12.35"),
        (100.0, "100"),
        (12345.67, "12346"),
        (-0.001049, "-0.001049"),
        (0.0, "0"),
        (2.5e12, "2.5e+12"),
    ],
)
def test_numbers_are_shown_by_significant_digits(value: float, shown: str) -> None:
    text = render(pa.table({"lr": [value]}), "markdown")
    assert text.splitlines()[-1] == f"| {shown} |"
