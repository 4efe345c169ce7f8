"""The `lethe` command: parse, call, print.

Exit codes: 0 done; 1 done, with problems (listed); 2 wrong input; 3 the cluster failed and 4 the object store is out of
reach, where in both cases what had finished is kept and the same command goes on; 130 interrupted.
"""

from typing import Annotated

import typer

from lethe.cli._common import print_versions
from lethe.cli._data import data
from lethe.cli._jobs import jobs, logs, stop, submit
from lethe.cli._parts import methods
from lethe.cli._report import report
from lethe.cli._results import compact, export, leaderboard, query, show
from lethe.cli._studies import init, plan, run, schema
from lethe.cli._watch import watch


def common(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=print_versions, help="Print versions and exit.")
    ] = False,
) -> None:
    """Which unlearning setting makes a classifier forget, how close it comes to retraining, and at what cost."""


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    init,
    schema,
    methods,
    plan,
    run,
    leaderboard,
    report,
    query,
    show,
    watch,
    compact,
    submit,
    jobs,
    logs,
    stop,
):
    app.command()(command)
app.callback()(common)
app.add_typer(export, name="export")
app.add_typer(data, name="data")

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app()
