"""The tables that README and the documentation quote: of one study one table, in the form that is printed today."""

import importlib.util
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lethe.report import leaderboard
from lethe.results import Store

DOCS = Path(__file__).parents[2] / "docs"


def _script(name: str) -> Any:
    specification = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


quote, beside = _script("quote_tables"), _script("side_by_side")
QUOTES = [
    (page.name, study, what, text)
    for page in quote.PAGES
    for study, what, text in quote.QUOTED.findall(page.read_text(encoding="utf-8"))
]


def rows_of(text: str) -> list[str]:
    """The lines of the first table: from its heading to the blank line after its rows."""
    lines = text.split("\n")
    rule = next(at for at, line in enumerate(lines) if "────" in line)
    return lines[rule - 1 : lines.index("", rule) if "" in lines[rule:] else None]


def test_the_documentation_quotes_tables() -> None:
    laptop = {f"{name}-laptop" for name in ("pneumoniamnist", "bloodmnist", "organamnist", "retinamnist")}
    assert {study for _, study, what, _ in QUOTES if what != " drift"} == {"quickstart", *laptop}


@pytest.mark.parametrize(("page", "study", "what", "text"), QUOTES)
def test_a_quoted_table_has_the_columns_that_are_printed_today(
    page: str, study: str, what: str, text: str, store: Store, confirm: Callable[..., None]
) -> None:
    confirm("original", (0.1, 0.2, 0.3), stream="q", step=1, steps=2)
    [board] = leaderboard(store.root)
    printed = rows_of(quote.text_of(board, what))[0]
    assert rows_of(text)[0].split() == printed.split(), f"python docs/quote_tables.py RESULTS ({page}, {study})"


def test_quotes_of_one_study_have_the_same_rows() -> None:
    rows: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for _, study, what, text in QUOTES:
        rows[study + what.replace(" rows", "")].add(tuple(rows_of(text)))
    assert {study: len(different) for study, different in rows.items()} == dict.fromkeys(rows, 1)


def test_the_studies_that_readme_holds_side_by_side_have_the_numbers_of_their_tables() -> None:
    readme, results = beside.README.read_text(encoding="utf-8"), beside.RESULTS.read_text(encoding="utf-8")
    [(studies, table)] = beside.BESIDE.findall(readme)
    assert table.count("\n") > 12
    assert beside.rewritten(readme, results) == readme, "python docs/side_by_side.py"
    excesses = beside.excesses(results, studies.split()[0])
    assert excesses["msg"] == "+0.3 [-0.1, +0.6] ≈"
    assert beside.rewritten(readme, results.replace("+0.3 [-0.1, +0.6]", "+0.4 [-0.1, +0.6]")) != readme
