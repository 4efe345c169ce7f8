"""Commands that end with a model that leaves."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from lethe.cli._common import Overrides, Results, StudyFile, Where, console, fail, reporting_errors, stderr

if TYPE_CHECKING:
    from lethe.delivery import Delivery

Method = Annotated[
    str | None,
    typer.Option(metavar="ROW", help="Deliver this method. Default: the one with the smallest confirmed gap."),
]
OneScenario = Annotated[
    str | None,
    typer.Option("--scenario", metavar="ID", help="Of this scenario, by the beginning of its fingerprint."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="The folder to write. Default: delivery/STUDY.")
]

Requester = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Who asked, such as the number of a letter; only a commitment to it is written."),
]
KeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help="Sign the certificate with this key (lethe key new).")
]


def deliver(
    study: Annotated[str, typer.Option("--study", help="The study, which was run before.")],
    method: Method = None,
    scenario: OneScenario = None,
    results: Where = "results",
    out: Out = None,
    address: Annotated[
        str | None, typer.Option(help="Use a running Ray cluster: auto, or HOST:PORT. Default: this process.")
    ] = None,
    requester: Requester = None,
    key: KeyFile = None,
) -> None:
    """Write the unlearned model of a study into a folder.

    It holds weights, program, setting and certificate. The chosen method unlearns the production original (the study's
    `original`, else that of a reporting seed); the model is measured and audited as it leaves. The same command finds a
    delivery that is there.

    Exit codes: 0: delivered; 1: delivered, and the verdict is a violation; 2: something in the input is wrong; 3: the
    cluster failed; 4: the object store cannot be reached; 130: interrupted. After 3, 4 and 130 the same command
    continues.
    """
    from lethe.delivery.api import deliver as deliver_model
    from lethe.execution.stop import InterruptedStudyError

    with reporting_errors():
        out_console = console()
        try:
            found = deliver_model(
                study,
                results,
                method=method,
                scenario=scenario,
                out=out,
                address=address,
                requester=requester,
                key=key,
                console=out_console,
            )
        except InterruptedStudyError as interruption:
            _end_interrupted(interruption, out_console)
        _print(found, out_console, results)
    _end(found, ())


def forget(
    study_file: StudyFile,
    overrides: Overrides = None,
    method: Method = None,
    scenario: OneScenario = None,
    results: Results = None,
    out: Out = None,
    address: Annotated[
        str | None, typer.Option(help="Use a running Ray cluster: auto, or HOST:PORT. Default: start Ray here.")
    ] = None,
    requester: Requester = None,
    key: KeyFile = None,
    local: Annotated[
        bool, typer.Option("--local", help="Run in this process, one thing at a time, without Ray.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Use the results folder even if it holds files of another tool.")
    ] = False,
) -> None:
    """Run a study, or continue it, and deliver the unlearned model.

    It is `lethe run` and then `lethe deliver`; the confirmed table is printed in between.

    Exit codes: 0: delivered; 1: delivered, with problems (listed above) or a violation; 2: something in the input is
    wrong; 3: the cluster failed; 4: the object store cannot be reached; 130: interrupted. After 3, 4 and 130 the same
    command continues.
    """
    from lethe.delivery.api import deliver_finished, signed_as
    from lethe.execution.stop import InterruptedStudyError
    from lethe.pipeline.api import run
    from lethe.report import leaderboard, print_leaderboard

    if local and address:
        fail("--local and --address exclude each other: choose where the study runs")
    with reporting_errors():
        out_console = console()
        try:
            signed_as(requester, key)
            finished = run(
                study_file,
                results,
                overrides=overrides or (),
                address=address,
                local=local,
                force=force,
                console=out_console,
            )
            print_leaderboard(leaderboard(finished.root, finished.study.name), out_console)
            found = deliver_finished(
                finished,
                method=method,
                scenario=scenario,
                out=out,
                address=address,
                requester=requester,
                key=key,
                console=out_console,
            )
        except InterruptedStudyError as interruption:
            _end_interrupted(interruption, out_console)
        _print(found, out_console, finished.root.address)
    _end(found, finished.problems)


def _end_interrupted(interruption: Exception, out: Console) -> None:
    why = str(interruption) or "Interrupted."
    out.print(Text(f"{why} What had finished is kept; the same command goes on from here."), soft_wrap=True)
    raise typer.Exit(130) from None


def _print(found: "Delivery", out: Console, results: str) -> None:
    """Print what was delivered, the verdict, and what to do next."""
    from lethe.delivery import in_words

    for line in in_words(found, shlex.quote(results)):
        out.print(Text(line), soft_wrap=True)


def _end(found: "Delivery", problems: tuple[str, ...]) -> None:
    """End with exit code 1 where something must be looked at."""
    told = [
        *problems,
        *(["the verdict on the delivered model is a violation"] if found.verdict == "violation" else []),
    ]
    if told:
        stderr(f"Delivered, with {len(told)} problem(s):", *told)
        raise typer.Exit(1)
