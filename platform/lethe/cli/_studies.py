"""Commands that begin a study, show what it will do, and run it."""

import json
import shlex
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from lethe.cli._common import Overrides, Results, StudyFile, console, errors_told, fail, stderr

DataName = Annotated[
    str, typer.Option("--data", metavar="NAME", help="synthetic, folder, npz, or a MedMNIST set such as bloodmnist.")
]


def init(data: DataName = "synthetic") -> None:
    """Print a study to begin with, which explains its common keys: lethe init > study.yaml."""
    from lethe.study import template

    with errors_told():
        typer.echo(template(data), nl=False)


def schema() -> None:
    """Print the JSON Schema of a study file, from which editors complete keys: lethe schema > study.schema.json."""
    from lethe.study import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def run(
    study_file: StudyFile,
    overrides: Overrides = None,
    results: Results = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster: auto, or its head's address.")] = None,
    local: Annotated[bool, typer.Option("--local", help="In this process, one thing at a time, without Ray.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Use a results folder that holds files of another tool, too.")
    ] = False,
) -> None:
    """Run a study, or continue it: the same command takes up what was stopped, killed or given more trials.

    Ends with the confirmed table. Exit code 0: complete; 1: complete but for problems told; 2: wrong input; 3: the
    cluster failed; 4: the object store is out of reach; 130: interrupted. After 3, 4 and 130 the same command goes on.
    """
    from lethe.pipeline.api import run as run_study
    from lethe.pipeline.run import InterruptedStudyError
    from lethe.report import leaderboard, print_leaderboard

    if local and address:
        fail("--local and --address exclude each other: choose where the study runs")
    with errors_told():
        out = console()
        try:
            finished = run_study(
                study_file, results, overrides=overrides or (), address=address, local=local, force=force, console=out
            )
        except InterruptedStudyError as interruption:
            why = str(interruption) or "Interrupted."
            out.print(Text(f"{why} What had finished is kept; the same command goes on from here."), soft_wrap=True)
            raise typer.Exit(130) from None
        print_leaderboard(leaderboard(finished.root, finished.study.name), out)
        _print_next_steps(out, finished.study.name, shlex.quote(finished.root.address))
    if finished.problems:
        stderr(f"The study finished with {len(finished.problems)} problem(s):", *finished.problems)
        raise typer.Exit(1)


def plan(
    study_file: StudyFile,
    overrides: Overrides = None,
    results: Results = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster to plan for: auto, or its head's address.")
    ] = None,
) -> None:
    """Show what a study will do: what exists already, what must run, how much at once where, and about how long.

    The machines are those of the cluster at --address, else this one. Nothing is written or downloaded.
    """
    from lethe.pipeline.api import plan as plan_study
    from lethe.report import print_plan

    with errors_told():
        planned = plan_study(study_file, results, overrides=overrides or (), address=address)
        print_plan(planned.plan, planned.root, planned.estimate, console())


def _print_next_steps(out: Console, study: str, root: str) -> None:
    commands = (f"lethe report --study {study}", "lethe query", f"lethe leaderboard --study {study}")
    out.print(Text("\nNext: " + "\n      ".join(f"{one} --results {root}" for one in commands)), soft_wrap=True)
