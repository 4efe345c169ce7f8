"""What the commands share: options of several, the console, files for answers, and how errors end them.

Modules of the command line import what is heavy inside functions, so that `lethe --help` is there at once.
"""

import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lethe.errors import InputError, LetheError

RESULTS_HELP = "Where the results are: a folder, or a URI such as s3://bucket/results."
StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY.yaml", help="The study file, such as configs/quickstart.yaml.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the study for this run, such as search.trials=40."),
]
Results = Annotated[
    str | None, typer.Option(envvar="LETHE_RESULTS", help=RESULTS_HELP + " Default: `results` in the study file.")
]
Where = Annotated[str, typer.Option("--results", envvar="LETHE_RESULTS", help=RESULTS_HELP)]
OneSpecification = Annotated[
    str | None,
    typer.Option(
        "--specification", metavar="ID", help="Show this version of a study file. Default: the one that was run last."
    ),
]
OneStudy = Annotated[str | None, typer.Option("--study", help="Only this study. Default: all studies.")]


def print_versions(wanted: bool) -> None:
    """Print the versions of Lethe, its code and the libraries that numbers depend on, and end the command."""
    if not wanted:
        return
    from lethe.versions import code_version, installed

    libraries = ", ".join(f"{name} {installed(name)}" for name in ("torch", "ray", "optuna"))
    typer.echo(f"lethe {installed('lethe')} (code {code_version()}), Python {platform.python_version()}, {libraries}")
    raise typer.Exit


def console() -> Console:
    """Make the console that answers are printed on."""
    from lethe.cli._console import VisibleConsole

    width = None if sys.stdout.isatty() else 120
    return VisibleConsole(width=width, highlight=False)


def echo(line: str) -> None:
    """Print a line that may hold names from rows or files."""
    from lethe.results.visible import visible

    typer.echo(visible(line))


def stderr(*lines: str) -> None:
    """Print lines that may hold names from rows or files, beside the answer."""
    from lethe.results.visible import visible

    for line in lines:
        typer.echo(visible(line), err=True)


def fail(message: str, code: int = 2) -> None:
    stderr(message)
    raise typer.Exit(code)


def exit_code_of(error: Exception) -> int:
    """Return the exit code that an error ends a command with."""
    from lethe.execution.failures import ClusterFailedError
    from lethe.execution.stop import InterruptedStudyError
    from lethe.storage.root import StoreUnavailableError

    if isinstance(error, InterruptedStudyError):
        return 130
    if isinstance(error, ClusterFailedError):
        return 3
    return 4 if isinstance(error, StoreUnavailableError) else 2


def check_output(path: Path | None, example: str) -> None:
    """Check, before an answer is computed, that a file for it can be written; no folder is made for it.

    Args:
        path: None where no file was asked for.
        example: a name for the file, should a folder be named.

    Raises:
        InputError: its folder is missing, or a folder has its name.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it, such as {path / example}")
    check_folder_of(path)


def check_folder_of(path: Path) -> None:
    """Check that the folder in which a file or folder will be written exists.

    Raises:
        InputError: it does not.
    """
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; make it first, or name another")


def write_output(path: Path, data: bytes) -> None:
    """Write a file in one step, or into a link, pipe or device that is there.

    Raises:
        StorageError: it could not be written; an older file stays as it was.
    """
    from lethe.storage.root import StorageRoot

    root = StorageRoot.at(path.parent)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        with root.reporting(f"write {path.name} in"):
            path.write_bytes(data)
    else:
        root.write(path.name, data)


@contextmanager
def saying_what_is_kept() -> Iterator[None]:
    """Let the error of a study that was interrupted say how to continue."""
    from lethe.execution.stop import InterruptedStudyError

    try:
        yield
    except InterruptedStudyError as interruption:
        why = str(interruption) or "Interrupted."
        raise InterruptedStudyError(f"{why} What had finished is kept; the same command goes on from here.") from None


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Turn errors that a user should read into a message and an exit code, and warnings about results into lines."""
    from lethe.results import ResultsWarning

    with warnings.catch_warnings():
        warnings.simplefilter("always", ResultsWarning)
        warnings.showwarning = _warn(warnings.showwarning)
        try:
            yield
        except LetheError as error:
            fail(str(error), exit_code_of(error))


def _warn(otherwise: Callable[..., None]) -> Callable[..., None]:
    from lethe.results import ResultsWarning

    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *rest: object) -> None:
        if issubclass(category, ResultsWarning):
            if str(message) not in said:
                stderr(str(message))
            said.add(str(message))
        else:
            otherwise(message, category, *rest)

    return show
