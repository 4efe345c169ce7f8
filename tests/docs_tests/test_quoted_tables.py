"""The tables that README and the documentation quote: of one study one table, in the form that is printed today."""

import importlib.util
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from lethe.report import leaderboard
from lethe.results import Store

SCRIPT = Path(__file__).parents[2] / "docs" / "quote_tables.py"


def _script() -> object:
    specification = importlib.util.spec_from_file_location("quote_tables", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


quote = _script()
QUOTES = [
    (page.name, study, what, text)
    for page in quote.PAGES  # type: ignore[attr-defined]
    for study, what, text in quote.QUOTED.findall(page.read_text(encoding="utf-8"))  # type: ignore[attr-defined]
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
    printed = rows_of(quote.text_of(board, what))[0]  # type: ignore[attr-defined]
    assert rows_of(text)[0].split() == printed.split(), f"python docs/quote_tables.py RESULTS ({page}, {study})"


def test_quotes_of_one_study_have_the_same_rows() -> None:
    rows: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for _, study, what, text in QUOTES:
        rows[study + what.replace(" rows", "")].add(tuple(rows_of(text)))
    assert {study: len(different) for study, different in rows.items()} == dict.fromkeys(rows, 1)
