"""A command's answer as one JSON document on stdout, in the envelope that every command with `--json` shares.

    {"lethe_json": 1, "command": "plan", "exit_code": 0, "problems": [], "error": null, "answer": {...}}

Every document has these six keys. `answer` is the command's own object, or null where an error ended the command;
`error` is then ``{"type": "StudyError", "message": "..."}``, and null otherwise. `problems` are sentences about what
went wrong without ending the command (exit code 1). Numbers have their full precision; one that is unknown, NaN or
infinite is null. A key may be added under the same number in `lethe_json`; one that goes, or changes its meaning,
raises it.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import date
from math import isfinite
from typing import Annotated, Any, Final, Protocol, TextIO

import typer

from lethe.cli._common import exit_code_of, reporting_errors, stderr
from lethe.errors import LetheError

JSON_VERSION: Final = 1

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document, errors included; progress and notes go to stderr."),
]


class Answer(Protocol):
    """What prints a command's answer; call it once, as the last thing that the command does."""

    def __call__(self, answer: Mapping[str, Any], *, exit_code: int = 0, problems: Sequence[str] = ()) -> None:
        """Print the document, and end the command with the exit code where it is not 0."""
        ...


@contextmanager
def answering(command: str, *, as_json: bool) -> Iterator[Answer]:
    """Report errors as `reporting_errors` does, and with ``as_json`` as a document on stdout too.

    With ``as_json``, whatever is printed inside goes to stderr, and only the document to stdout. An error that a user
    should read is raised, not printed: `fail` would end the command without a document.

    Args:
        command: as it is typed, such as ``models list``.

    Yields:
        what prints the answer; without ``as_json`` nothing calls it.
    """
    stdout = sys.stdout

    def print_answer(answer: Mapping[str, Any], *, exit_code: int = 0, problems: Sequence[str] = ()) -> None:
        _print(stdout, command, exit_code, answer=answer, problems=problems)
        if exit_code:
            raise typer.Exit(exit_code)

    if not as_json:
        with reporting_errors():
            yield print_answer
        return
    with redirect_stdout(sys.stderr), reporting_errors():
        try:
            yield print_answer
        except LetheError as error:
            _print(stdout, command, exit_code_of(error), error=error)
            raise
        except KeyboardInterrupt as interruption:
            _print(stdout, command, 130, error=interruption)
            stderr("Interrupted.")
            raise typer.Exit(130) from None


def _print(
    stdout: TextIO,
    command: str,
    exit_code: int,
    *,
    answer: Mapping[str, Any] | None = None,
    problems: Sequence[str] = (),
    error: BaseException | None = None,
) -> None:
    document = {
        "lethe_json": JSON_VERSION,
        "command": command,
        "exit_code": exit_code,
        "problems": problems,
        "error": error and {"type": type(error).__name__, "message": str(error) or "Interrupted."},
        "answer": answer,
    }
    stdout.write(json.dumps(_plain(document), indent=1, allow_nan=False) + "\n")
    stdout.flush()


def _plain(value: Any) -> Any:
    """Turn a value into one that JSON has: null for a number that is not finite, text for a time."""
    match value:
        case float():
            return value if isfinite(value) else None
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case str() | int() | None:
            return value
        case date():
            return value.isoformat()
        case _:
            return [_plain(one) for one in value]
