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
    from lethe.pipeline.progress import Progress
    from lethe.pipeline.run import InterruptedStudyError, StudyRun
    from lethe.report import leaderboard, print_leaderboard
    from lethe.storage.root import StorageRoot
    from lethe.study import read_study

    if local and address:
        fail("--local and --address exclude each other: choose where the study runs")
    with errors_told():
        study = read_study(study_file, overrides or [])
        if local and study.search.early_stopping:
            fail("search.early_stopping is Ray Tune's: leave it out, or run without --local")
        root = StorageRoot.at(results or study.results)
        out = console()
        with Progress(out) as progress:
            study_run = StudyRun(study, root, progress)
            try:
                study_run.run(address, local=local, force=force)
            except InterruptedStudyError as interruption:
                why = str(interruption) or "Interrupted."
                progress.say(f"{why} What had finished is kept; the same command goes on from here.")
                raise typer.Exit(130) from None
        print_leaderboard(leaderboard(root, study.name), out)
        _print_next_steps(out, study.name, shlex.quote(root.address))
    if study_run.problems:
        stderr(f"The study ended with {len(study_run.problems)} problem(s):", *study_run.problems)
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
    from lethe.artifacts import ArtifactStore
    from lethe.execution.connect import connect
    from lethe.execution.node_types import node_types_of
    from lethe.pipeline.estimate import estimate
    from lethe.pipeline.plan import make_plan
    from lethe.report import print_plan
    from lethe.results import Store
    from lethe.storage.root import StorageRoot
    from lethe.study import read_study

    with errors_told():
        study = read_study(study_file, overrides or [])
        root = StorageRoot.at(results or study.results)
        store = Store(root)
        made = make_plan(study, ArtifactStore(root, keep=False), store, download=False)
        with connect(address, local=address is None) as connection:
            machines = node_types_of(connection.nodes())
        print_plan(made, root, estimate(made, store, machines), console())


def _print_next_steps(out: Console, study: str, root: str) -> None:
    commands = (f"lethe report --study {study}", "lethe query", f"lethe leaderboard --study {study}")
    out.print(Text("\nNext: " + "\n      ".join(f"{one} --results {root}" for one in commands)), soft_wrap=True)
