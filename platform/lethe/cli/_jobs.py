"""Commands for studies that run on a cluster as jobs."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lethe.cli._common import Overrides, Results, StudyFile, console, echo, errors_told, stderr

if TYPE_CHECKING:
    from lethe.submit import JobServer

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's name, as `lethe jobs` lists it.")]
Server = Annotated[
    str, typer.Option("--address", envvar="RAY_API_SERVER_ADDRESS", help="The cluster's job server, http://HOST:PORT.")
]
JOB_SERVER = "http://127.0.0.1:8265"


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
    from lethe.execution.leftovers import temporary_folder
    from lethe.submit import JobServer, pack

    with errors_told():
        with temporary_folder() as folder:
            bundle = pack(study_file, overrides or [], results, folder)
            server = JobServer(address)
            job_id = server.submit(bundle, python)
        for note in bundle.notes:
            echo(note)
        echo(f"Submitted as {job_id}; it goes on without this machine.")
        if follow:
            raise typer.Exit(_follow(server, job_id))
        _print_job_commands(server, job_id)


def jobs(address: Server = JOB_SERVER) -> None:
    """List the studies that were submitted to a Ray cluster."""
    from lethe.results import durations
    from lethe.submit import JobServer

    with errors_told():
        table = Table("job", "study", "status", "submitted", "took", box=SIMPLE_HEAD)
        for job in JobServer(address).jobs():
            began = f"{job.began.astimezone():%Y-%m-%d %H:%M:%S}"
            table.add_row(job.job_id, job.study, job.status, began, durations.estimated(job.took_s))
        console().print(table)


def logs(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the study ends; exit code as theirs.")] = False,
    address: Server = JOB_SERVER,
) -> None:
    """Print what a submitted study has said."""
    from lethe.submit import JobServer

    with errors_told():
        server = JobServer(address)
        if follow:
            raise typer.Exit(_follow(server, job))
        typer.echo(server.log(job), nl=False)


def stop(job: JobId, address: Server = JOB_SERVER) -> None:
    """End a submitted study as Ctrl-C ends `lethe run`: what had finished is kept."""
    from lethe.submit import JobServer

    with errors_told():
        server = JobServer(address)
        if server.stop(job):
            typer.echo(
                f"{job} was told to stop. What had finished is kept; submitting the study again goes on from there."
            )
        else:
            echo(f"{job} had ended already: {server.job(job).status}.")


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
        stderr(f"{job_id} {job.status}: {job.message}")
    return job.exit_code or (130 if job.status == "stopped" else 1)


def _print_job_commands(server: "JobServer", job_id: str) -> None:
    for command in (f"lethe logs {job_id} --follow", f"lethe stop {job_id}", "lethe jobs"):
        typer.echo(f"  {command} --address {server.address}")
