"""What the commands share: options of several, the console, and how errors are told."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

RESULTS_HELP = "Results place: a folder or a URI such as s3://bucket/results."
StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY.yaml", help="The study's file, such as configs/quickstart.yaml.")
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the study, such as search.trials=40.")
]
Results = Annotated[
    str | None, typer.Option(envvar="LETHE_RESULTS", help=RESULTS_HELP + " The study's own `results` if not given.")
]
Where = Annotated[str, typer.Option("--results", envvar="LETHE_RESULTS", help=RESULTS_HELP)]
OneStudy = Annotated[str | None, typer.Option("--study", help="One study; all if not given.")]


def console() -> Console:
    width = None if sys.stdout.isatty() else 120
    return Console(width=width, highlight=False)


def stderr(*lines: str) -> None:
    for line in lines:
        typer.echo(line, err=True)


def fail(message: str, code: int = 2) -> None:
    stderr(message)
    raise typer.Exit(code)


def exit_code_of(error: Exception) -> int:
    """Return the exit code that an error ends a command with."""
    from lethe.cluster import ClusterFailedError
    from lethe.place import StoreUnavailableError

    if isinstance(error, ClusterFailedError):
        return 3
    return 4 if isinstance(error, StoreUnavailableError) else 2


@contextmanager
def errors_told() -> Iterator[None]:
    """Turn errors that a user should read into a message and an exit code, and warnings of broken parts into lines."""
    from lethe.cluster import ClusterError, DeviceError
    from lethe.place import PlaceError
    from lethe.results import CorruptPartWarning, QueryError, SchemaError
    from lethe.study import StudyError
    from unlearning.data import DataError

    with warnings.catch_warnings():
        warnings.simplefilter("always", CorruptPartWarning)
        warnings.showwarning = _warn(warnings.showwarning)
        try:
            yield
        except (ClusterError, DataError, DeviceError, PlaceError, QueryError, SchemaError, StudyError) as error:
            fail(str(error), exit_code_of(error))
        except ValueError as error:
            if type(error) is not ValueError:
                raise
            fail(str(error))


def _warn(otherwise: Callable[..., None]) -> Callable[..., None]:
    from lethe.results import CorruptPartWarning

    def show(message: Warning | str, category: type[Warning], *rest: object) -> None:
        if issubclass(category, CorruptPartWarning):
            stderr(str(message))
        else:
            otherwise(message, category, *rest)

    return show
