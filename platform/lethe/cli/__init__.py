"""The `lethe` command: parse, call, print.

Exit codes: 0 done; 1 done, with problems (listed above); 2 something in the input is wrong; 3 the cluster failed; 4 the
object store cannot be reached; 130 interrupted. After 3, 4 and 130 what is finished is kept, and the same command
continues. With `--json` an answer, or an error, is one document on stdout (`_json.py`).
"""

from typing import Annotated

import typer

from lethe.cli._certificates import key, purge, verify
from lethe.cli._common import print_versions
from lethe.cli._data import data
from lethe.cli._deliver import deliver, forget
from lethe.cli._jobs import jobs, logs, stop, submit
from lethe.cli._models import models
from lethe.cli._parts import methods
from lethe.cli._prune import prune
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
    forget,
    deliver,
    leaderboard,
    report,
    query,
    show,
    watch,
    compact,
    prune,
    verify,
    purge,
    submit,
    jobs,
    logs,
    stop,
):
    app.command()(command)
app.callback()(common)
app.add_typer(export, name="export")
app.add_typer(data, name="data")
app.add_typer(models, name="models")
app.add_typer(key, name="key")

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    app()
