"""Commands that begin a study, show what it will do, and run it."""

import json
import shlex
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from lethe.cli._common import Overrides, Results, StudyFile, console, reporting_errors, saying_what_is_kept, stderr
from lethe.cli._json import Json, answering
from lethe.errors import InputError

DataName = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME",
        help="The images: synthetic, folder, table, npz, or a MedMNIST set such as bloodmnist.",
    ),
]


def init(data: DataName = "synthetic") -> None:
    """Print a study file to begin with. It explains its keys: lethe init > study.yaml."""
    from lethe.study import template

    with reporting_errors():
        typer.echo(template(data), nl=False)


def schema(
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Print that of certificates of deliveries instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of study files. Editors use it to complete keys: lethe schema > study.schema.json."""
    if certificate:
        from lethe.delivery.certificate import certificate_schema as schema_of
    else:
        from lethe.study import json_schema as schema_of

    typer.echo(json.dumps(schema_of(), indent=2, ensure_ascii=False))


def run(
    study_file: StudyFile,
    overrides: Overrides = None,
    results: Results = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Use a running Ray cluster: auto for the one on this machine, or HOST:PORT. Default: start Ray here."
        ),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Run in this process, one thing at a time, without Ray.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Use the results folder even if it holds files of another tool.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a study, or continue it.

    What earlier runs finished is not done again, so the same command continues a study that was stopped or killed, and
    extends one that has more trials now. The confirmed table is printed at the end.

    Exit codes: 0: finished; 1: finished, with problems (listed above); 2: something in the input is wrong; 3: the
    cluster failed; 4: the object store cannot be reached; 130: interrupted. After 3, 4 and 130 the same command
    continues the study.
    """
    from lethe.pipeline.api import run as run_study
    from lethe.report import boards_document, leaderboard, print_leaderboard

    with answering("run", as_json=as_json) as answer:
        if local and address:
            raise InputError("--local and --address exclude each other: choose where the study runs")
        out = console()
        with saying_what_is_kept():
            finished = run_study(
                study_file, results, overrides=overrides or (), address=address, local=local, force=force, console=out
            )
        boards = leaderboard(finished.root, finished.study.name)
        if not as_json:
            print_leaderboard(boards, out)
            _print_next_steps(out, finished.study.name, shlex.quote(finished.root.address))
        exit_code = 1 if finished.problems else 0
        if finished.problems:
            stderr(f"The study finished with {len(finished.problems)} problem(s):", *finished.problems)
        if as_json:
            found = {"study": finished.study.name, "results": finished.root.address, **boards_document(boards)}
            answer(found, exit_code=exit_code, problems=finished.problems)
        raise typer.Exit(exit_code)


def plan(
    study_file: StudyFile,
    overrides: Overrides = None,
    results: Results = None,
    address: Annotated[
        str | None, typer.Option(help="Plan for a running Ray cluster: auto, or HOST:PORT. Default: this machine.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a study, and show what it would do.

    Lists what exists already, what is left to run, how much of it runs at a time on which machines, and about how long
    it takes. Nothing is written or downloaded.
    """
    from lethe.pipeline.api import plan as plan_study
    from lethe.report.plan import plan_document, print_plan

    with answering("plan", as_json=as_json) as answer:
        planned = plan_study(study_file, results, overrides=overrides or (), address=address)
        if as_json:
            answer(plan_document(planned.plan, planned.root, planned.estimate))
        else:
            print_plan(planned.plan, planned.root, planned.estimate, console())


def _print_next_steps(out: Console, study: str, root: str) -> None:
    commands = (f"lethe report --study {study}", "lethe query", f"lethe leaderboard --study {study}")
    out.print(Text("\nNext: " + "\n      ".join(f"{one} --results {root}" for one in commands)), soft_wrap=True)
