"""Commands for studies that run on a cluster as jobs."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lethe.cli._common import Overrides, Results, StudyFile, console, echo, reporting_errors, stderr

if TYPE_CHECKING:
    from lethe.submit import JobServer

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The name of a job, as `lethe jobs` lists it.")]
Server = Annotated[
    str, typer.Option("--address", envvar="RAY_API_SERVER_ADDRESS", help="The cluster's job server, http://HOST:PORT.")
]
JOB_SERVER = "http://127.0.0.1:8265"


def submit(
    study_file: StudyFile,
    overrides: Overrides = None,
    address: Server = JOB_SERVER,
    results: Results = None,
    python: Annotated[str, typer.Option(help="The Python on the head node, as its shell finds it.")] = "python",
    follow: Annotated[bool, typer.Option(help="Follow the log until the study ends, or return at once.")] = True,
) -> None:
    """Send a study to a Ray cluster, and follow its log.

    It goes on when this machine is switched off. The code and the data files that are here travel with it; a results
    folder is one on the head node. Submitting a study again continues it. Ctrl-C ends the following, not the study.

    Exit codes: those of `lethe run` on the head node.
    """
    from lethe.execution.leftovers import temporary_folder
    from lethe.submit import JobServer, pack

    with reporting_errors():
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
    """List the studies on a Ray cluster, with their progress."""
    from lethe.results import durations
    from lethe.submit import JobServer

    with reporting_errors():
        table = Table("job", "study", "status", "submitted", "took", "progress", box=SIMPLE_HEAD)
        server = JobServer(address)
        for job in server.jobs():
            began = f"{job.began.astimezone():%Y-%m-%d %H:%M:%S}"
            progress = Text(server.progress(job))
            table.add_row(job.job_id, job.study, job.status, began, durations.estimated(job.took_s), progress)
        console().print(table)


def logs(
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow it until the study ends; the exit code is the study's.")
    ] = False,
    address: Server = JOB_SERVER,
) -> None:
    """Print the log of a submitted study."""
    from lethe.submit import JobServer

    with reporting_errors():
        server = JobServer(address)
        if follow:
            raise typer.Exit(_follow(server, job))
        typer.echo(server.log(job), nl=False)


def stop(job: JobId, address: Server = JOB_SERVER) -> None:
    """Stop a submitted study.

    This is what Ctrl-C is to `lethe run`: running epochs finish, and what is finished is kept.
    """
    from lethe.submit import JobServer

    with reporting_errors():
        server = JobServer(address)
        if server.stop(job):
            typer.echo(f"{job} is stopping. What is finished is kept, and submitting the study again continues it.")
        else:
            echo(f"{job} had ended already: {server.job(job).status}.")


def _follow(server: "JobServer", job_id: str) -> int:
    """Show a job's log until it ends, and exit with the code of its study; Ctrl-C only stops following."""
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
