"""`--json`: exactly one document on stdout, errors included, and everything else on stderr."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lethe.cli import app
from lethe.cli._json import answering
from lethe.results import Store, load

Document = Callable[..., dict[str, Any]]


def test_a_leaderboard_holds_the_numbers_of_the_view_unrounded(
    store: Store, confirm: Callable[..., None], document: Document
) -> None:
    confirm("oracle", [0.0, 1 / 3, 0.0])
    confirm("salun", [0.1, 0.2, 0.4 / 3])
    (table,) = document("leaderboard", "--results", store.root.address)["answer"]["tables"]
    expected = load(store.root.address, "leaderboard").to_pylist()
    assert [(row["row"], row["gap"], row["gap_low"]) for row in table["rows"]] == [
        (row["row"], row["gap"], row["gap_low"]) for row in expected
    ]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("plan", "missing.yaml"), "StudyError", "no such study"),
        (("run", "missing.yaml", "--local", "--address", "auto"), "InputError", "exclude each other"),
        (("leaderboard", "--results", "missing"), "QueryError", "missing"),
        (("forget", "missing.yaml", "--local", "--address", "auto"), "InputError", "exclude each other"),
        (("deliver", "--study", "other", "--results", "missing"), "DeliveryError", "no study other was run in"),
        (("verify", "missing"), "InputError", "there is neither a folder of a delivery nor a record"),
        (("purge", "--study", "other", "--request", "x", "--results", "missing"), "InputError", "of study other"),
    ],
)
def test_an_error_is_a_document_with_the_exit_code_and_a_line_on_stderr(
    arguments: tuple[str, ...],
    kind: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: Document,
) -> None:
    monkeypatch.chdir(tmp_path)
    error = document(*arguments, exit_code=2)["error"]
    assert error["type"] == kind
    assert message in error["message"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert error["message"] in done.stderr


def test_numbers_that_are_not_finite_are_null_and_texts_stay_exact(capsys: pytest.CaptureFixture[str]) -> None:
    with answering("own", as_json=True) as answer:
        print("beside")
        answer({"gap": 0.1 + 0.2, "none": float("nan"), "many": (1, float("inf")), "text": "\x1bé"})
    printed = capsys.readouterr()
    assert json.loads(printed.out)["answer"] == {"gap": 0.1 + 0.2, "none": None, "many": [1, None], "text": "\x1bé"}
    assert printed.err == "beside\n"
    assert "\x1b" not in printed.out


def test_an_answer_with_problems_ends_the_command_with_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, answering("own", as_json=True) as answer:
        answer({"found": 1}, exit_code=1, problems=["one row is missing"])
    assert ended.value.exit_code == 1
    printed = json.loads(capsys.readouterr().out)
    assert (printed["exit_code"], printed["problems"], printed["answer"]) == (1, ["one row is missing"], {"found": 1})


def test_an_interruption_is_a_document_with_exit_code_130() -> None:
    own = typer.Typer()

    @own.command()
    def interrupted() -> None:
        with answering("interrupted", as_json=True):
            raise KeyboardInterrupt

    done = CliRunner().invoke(own)
    assert done.exit_code == 130
    assert json.loads(done.stdout)["error"] == {"type": "KeyboardInterrupt", "message": "Interrupted."}
