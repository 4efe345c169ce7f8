"""Saved queries that are not what they should be, and rows whose JSON is none."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lethe.cli import app
from lethe.results import CorruptPartWarning, QueryError, Store, TrialRow, query, save_query

HOSTILE = {"UTF-16": "select 7 as n".encode("utf-16"), "binary": b"\xff\x00", "large": b" " * ((1 << 20) + 1)}


@pytest.fixture
def saved(store: Store, make: Callable[..., Any]) -> Path:
    """A trial, the saved query ``good`` and the root of another one, ``bad``."""
    store.append_trial(make(TrialRow), [])
    save_query("select trial_id from trials", "good", store.root)
    return Path(str(store.root)) / "queries" / "bad.sql"


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_saved_query_that_is_no_text_is_named_and_left_out(store: Store, saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    with pytest.warns(CorruptPartWarning, match=rf"left out the saved query {saved}: "):
        assert query("from good", store.root).to_pylist() == [{"trial_id": "t0"}]
    with pytest.warns(CorruptPartWarning), pytest.raises(QueryError, match="bad"):
        query("from bad", store.root)
    done = CliRunner().invoke(app, ["query", "from good", "--results", str(store.root)])
    assert done.exit_code == 0, done.output
    assert f"left out the saved query {saved}" in done.output


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b"select", b"(" * 10_000, b"drop table trials; select 1"])
def test_a_saved_query_that_is_no_query_costs_only_itself(store: Store, saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    assert query("from good", store.root).to_pylist() == [{"trial_id": "t0"}]
    with pytest.raises(QueryError, match="saved query 'bad' has no answer"):
        query("from bad", store.root)


def test_a_saved_query_that_is_a_pipe_is_not_waited_for(store: Store, saved: Path) -> None:
    os.mkfifo(saved)
    assert query("from good", store.root).to_pylist() == [{"trial_id": "t0"}]


@pytest.mark.parametrize("setting", ["", "null", "[]", '"x"', "1", "{", "[" * 100_000, '{"lr": NaN}'])
@pytest.mark.parametrize("column", ["setting", "search_space"])
def test_a_row_whose_json_is_none_is_told_in_one_sentence(
    store: Store, make: Callable[..., Any], column: str, setting: str
) -> None:
    store.append_trial(make(TrialRow, **{column: setting or "{"}), [])
    done = CliRunner().invoke(app, ["show", "t0", "--results", str(store.root)])
    assert done.exit_code == 2, done.output
    assert f"the column {column} of a row holds" in done.output
    assert "Traceback" not in done.output
