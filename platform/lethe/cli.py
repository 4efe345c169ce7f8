"""The `lethe` command: parse, call, print. Exit codes: 0 done, 1 done with problems, 2 wrong input, 130 interrupted."""

import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lethe.submit import JobServer

app = typer.Typer(
    help="Which unlearning setting makes a classifier forget, how close it comes to retraining, and at what cost.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="MedMNIST's sets: what exists, fetching a file, checking it.", no_args_is_help=True)
app.add_typer(data_app, name="data")

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
SetName = Annotated[str, typer.Argument(metavar="NAME", help="MedMNIST's name of the set, such as bloodmnist.")]
Size = Annotated[int, typer.Option(help="Side length in pixels: 28, 64, 128 or 224.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's name, as `lethe jobs` lists it.")]
Server = Annotated[
    str, typer.Option("--address", envvar="RAY_API_SERVER_ADDRESS", help="The cluster's job server, http://HOST:PORT.")
]
JOB_SERVER = "http://127.0.0.1:8265"
Root = Annotated[Path | None, typer.Option(help="Folder of MedMNIST's files; else LETHE_DATA, else ~/.medmnist.")]


@app.command()
def run(
    study_file: StudyFile,
    overrides: Overrides = None,
    results: Results = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster: auto, or its head's address.")] = None,
    local: Annotated[bool, typer.Option("--local", help="In this process, one thing at a time, without Ray.")] = False,
) -> None:
    """Run a study, or continue it: the same command takes up what was stopped, killed or given more trials.

    Ends with the confirmed table. Exit code 0: complete; 1: complete but for problems told; 2: wrong input; 130:
    interrupted.
    """
    from lethe.place import Place
    from lethe.progress import Progress
    from lethe.report import leaderboard, print_leaderboard
    from lethe.results import Store
    from lethe.run import InterruptedStudyError, StudyRun
    from lethe.study import read_study

    if local and address:
        _fail("--local and --address exclude each other: choose where the study runs")
    with _errors_told():
        study = read_study(study_file, overrides or [])
        if local and study.search.early_stopping:
            _fail("search.early_stopping is Ray Tune's: leave it out, or run without --local")
        place = Place.at(results or study.results)
        console = _console()
        with Progress(console) as progress:
            study_run = StudyRun(study, place, progress)
            try:
                study_run.run(address, local=local)
            except InterruptedStudyError as interruption:
                why = str(interruption) or "Interrupted."
                progress.say(f"{why} What had finished is kept; the same command goes on from here.")
                raise typer.Exit(130) from None
        print_leaderboard(leaderboard(Store(place), study.name), console)
        _print_next_steps(console, study.name, shlex.quote(place.address))
    if study_run.problems:
        _stderr(f"The study ended with {len(study_run.problems)} problem(s):", *study_run.problems)
        raise typer.Exit(1)


@app.command()
def submit(
    study_file: StudyFile,
    overrides: Overrides = None,
    address: Server = JOB_SERVER,
    results: Results = None,
    python: Annotated[
        str, typer.Option(help="The Python that the head's Ray runs on, as the head finds it.")
    ] = "python",
    follow: Annotated[bool, typer.Option(help="Whether to follow the log until the study ends.")] = True,
) -> None:
    """Send a study to a Ray cluster, where it goes on after this machine is switched off, and follow its log.

    The code and the data files that are here travel along; a results folder is one of the head. Submitting a study
    again continues it. Ctrl-C ends the following, not the study. Exit code: that of `lethe run` on the head.
    """
    from lethe.submit import JobServer, pack

    with _errors_told():
        with TemporaryDirectory(prefix="lethe-") as folder:
            parcel = pack(study_file, overrides or [], results, Path(folder))
            server = JobServer(address)
            job_id = server.submit(parcel, python)
        for note in parcel.notes:
            typer.echo(note)
        typer.echo(f"Submitted as {job_id}; it goes on without this machine.")
        if follow:
            raise typer.Exit(_follow(server, job_id))
        _print_job_commands(server, job_id)


@app.command()
def jobs(address: Server = JOB_SERVER) -> None:
    """List the studies that were submitted to a Ray cluster."""
    from lethe.progress import duration
    from lethe.submit import JobServer

    with _errors_told():
        table = Table("job", "study", "status", "submitted", "took", box=SIMPLE_HEAD)
        for job in JobServer(address).jobs():
            began = f"{job.began.astimezone():%Y-%m-%d %H:%M:%S}"
            table.add_row(job.job_id, job.study, job.status, began, duration(job.took_s))
        _console().print(table)


@app.command()
def logs(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the study ends; exit code as theirs.")] = False,
    address: Server = JOB_SERVER,
) -> None:
    """Print what a submitted study has said."""
    from lethe.submit import JobServer

    with _errors_told():
        server = JobServer(address)
        if follow:
            raise typer.Exit(_follow(server, job))
        typer.echo(server.log(job), nl=False)


@app.command()
def stop(job: JobId, address: Server = JOB_SERVER) -> None:
    """End a submitted study as Ctrl-C ends `lethe run`: what had finished is kept."""
    from lethe.submit import JobServer

    with _errors_told():
        server = JobServer(address)
        if server.stop(job):
            typer.echo(
                f"{job} was told to stop. What had finished is kept; submitting the study again goes on from there."
            )
        else:
            typer.echo(f"{job} had ended already: {server.job(job).status}.")


@app.command()
def plan(
    study_file: StudyFile,
    overrides: Overrides = None,
    results: Results = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster to plan for: auto, or its head's address.")
    ] = None,
) -> None:
    """Show what a study will do: what exists already, what must run, how much at once where, and about how long.

    The machines are those of the cluster at --address, else this one.
    """
    from lethe.cluster import connect, kinds_of
    from lethe.estimate import estimate
    from lethe.place import Place
    from lethe.plan import make_plan
    from lethe.pool import Pool
    from lethe.report import print_plan
    from lethe.results import Store
    from lethe.study import read_study

    with _errors_told():
        study = read_study(study_file, overrides or [])
        place = Place.at(results or study.results)
        store = Store(place)
        made = make_plan(study, Pool(place), store)
        with connect(address, local=address is None) as connection:
            machines = kinds_of(connection.nodes())
        print_plan(made, place, estimate(made, store, machines), _console())


@app.command()
def query(
    sql: Annotated[
        str, typer.Argument(help="A statement that reads trials, epochs, confirmations, artifacts, columns.")
    ],
    results: Where = "results",
    form: Annotated[
        Literal["table", "csv", "json", "markdown"], typer.Option("--format", help="How to print.")
    ] = "table",
) -> None:
    """Ask the results with SQL (DuckDB's dialect, read-only). `FROM columns` tells what each column means."""
    from lethe.results import query as ask
    from lethe.results.render import render

    with _errors_told():
        typer.echo(render(ask(sql, results), form))


@app.command()
def leaderboard(
    results: Where = "results",
    study: Annotated[str | None, typer.Option(help="One study; all if not given.")] = None,
) -> None:
    """Print the confirmed table of every question, with intervals and the noise floor."""
    from lethe.place import Place
    from lethe.report import leaderboard as read
    from lethe.report import print_leaderboard
    from lethe.results import Store

    with _errors_told():
        store = Store(Place.at(results))
        boards = read(store, study)
        if not boards:
            known = ", ".join(store.studies()) or "none"
            _fail(
                f"no confirmed results{f' of study {study}' if study else ''} in {store.place}; studies there: {known}"
            )
        print_leaderboard(boards, _console())


@data_app.command("list")
def data_list(root: Root = None) -> None:
    """List the sets that a study can name, and which of their files are on this machine."""
    from unlearning.data.catalogue import data_root, sets

    table = Table("name", "task", "classes", "channels", "train / val / test", "sizes", "here", box=SIMPLE_HEAD)
    for med_set in sets().values():
        samples = " / ".join(str(count) for count in med_set.samples.values())
        sizes = ", ".join(map(str, med_set.downloads))
        here = ", ".join(map(str, med_set.found(root)))
        classes = str(len(med_set.class_names))
        table.add_row(med_set.name, med_set.task, classes, str(med_set.channels), samples, sizes, here)
    console = _console()
    console.print(table)
    console.print(Text(f"here: sizes found in {data_root(root)}, unchecked; `lethe data check NAME` checks one."))


@data_app.command("fetch")
def data_fetch(name: SetName, size: Size = 28, root: Root = None) -> None:
    """Download a set's file, or find it, and check its MD5."""
    from unlearning.data.catalogue import fetch

    with _errors_told():
        typer.echo(fetch(name, size, root))


@data_app.command("check")
def data_check(name: SetName, size: Size = 28, root: Root = None) -> None:
    """Check a set's file against MedMNIST's MD5. Exit code 0: whole; 2: missing, truncated or another file."""
    from unlearning.data.catalogue import check

    with _errors_told():
        found = check(name, size, root)
        if found.verdict != "whole":
            _fail(found.advice)
        typer.echo(found.advice)


def main() -> None:
    """Run the command line."""
    app()


def _console() -> Console:
    width = None if sys.stdout.isatty() else 120
    return Console(width=width, highlight=False)


def _follow(server: "JobServer", job_id: str) -> int:
    """Show a job's log until it ends, and give the exit code of its study; Ctrl-C ends this alone."""
    try:
        job = server.follow(job_id, partial(typer.echo, nl=False))
    except KeyboardInterrupt:
        typer.echo(f"\nNo longer following; {job_id} goes on.")
        _print_job_commands(server, job_id)
        return 130
    if job.status == "succeeded":
        return 0
    if job.exit_code is None:
        _stderr(f"{job_id} {job.status}: {job.message}")
    return job.exit_code or (130 if job.status == "stopped" else 1)


def _print_job_commands(server: "JobServer", job_id: str) -> None:
    for command in (f"lethe logs {job_id} --follow", f"lethe stop {job_id}", "lethe jobs"):
        typer.echo(f"  {command} --address {server.address}")


def _print_next_steps(console: Console, study: str, place: str) -> None:
    sql = "select method, count(*) n, min(gap) best from trials group by method"
    console.print(
        Text(
            f'\nNext: lethe query "{sql}" --results {place}\n      lethe leaderboard --study {study} --results {place}'
        ),
        soft_wrap=True,
    )


def _stderr(*lines: str) -> None:
    for line in lines:
        typer.echo(line, err=True)


def _fail(message: str) -> None:
    _stderr(message)
    raise typer.Exit(2)


@contextmanager
def _errors_told() -> Iterator[None]:
    """Turn what a user can get wrong into a message and exit code 2, and warnings of broken parts into lines."""
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
            _fail(str(error))
        except ValueError as error:
            if type(error) is not ValueError:
                raise
            _fail(str(error))


def _warn(otherwise: Callable[..., None]) -> Callable[..., None]:
    from lethe.results import CorruptPartWarning

    def show(message: Warning | str, category: type[Warning], *rest: object) -> None:
        if issubclass(category, CorruptPartWarning):
            _stderr(str(message))
        else:
            otherwise(message, category, *rest)

    return show
