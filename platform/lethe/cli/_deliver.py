"""Commands that end with a model that leaves."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from lethe.cli._common import Overrides, Results, StudyFile, Where, console, saying_what_is_kept, stderr
from lethe.cli._json import Answer, Json, answering
from lethe.errors import InputError

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
    as_json: Json = False,
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
    from lethe.storage.root import StorageRoot

    with answering("deliver", as_json=as_json) as answer:
        out_console = console()
        with saying_what_is_kept():
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
        if not as_json:
            _print(found, out_console, results)
        _end(found, (), answer if as_json else None, {"study": study, "results": StorageRoot.at(results).address})


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
    as_json: Json = False,
) -> None:
    """Run a study, or continue it, and deliver the unlearned model.

    It is `lethe run` and then `lethe deliver`; the confirmed table is printed in between.

    Exit codes: 0: delivered; 1: delivered, with problems (listed above) or a violation; 2: something in the input is
    wrong; 3: the cluster failed; 4: the object store cannot be reached; 130: interrupted. After 3, 4 and 130 the same
    command continues.
    """
    from lethe.delivery.api import deliver_finished, signed_as, unless_taken
    from lethe.pipeline.api import run
    from lethe.report import boards_document, leaderboard, print_leaderboard

    with answering("forget", as_json=as_json) as answer:
        if local and address:
            raise InputError("--local and --address exclude each other: choose where the study runs")
        out_console = console()
        signed_as(requester, key)
        with saying_what_is_kept():
            finished = run(
                study_file,
                results,
                overrides=overrides or (),
                address=address,
                local=local,
                force=force,
                check=unless_taken(out, method, scenario),
                console=out_console,
            )
            boards = leaderboard(finished.root, finished.study.name)
            if not as_json:
                print_leaderboard(boards, out_console)
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
        if not as_json:
            _print(found, out_console, finished.root.address)
        about = {"study": finished.study.name, "results": finished.root.address, **boards_document(boards)}
        _end(found, finished.problems, answer if as_json else None, about)


def _print(found: "Delivery", out: Console, results: str) -> None:
    """Print what was delivered, the verdict, and what to do next."""
    from lethe.delivery import in_words

    for line in in_words(found, shlex.quote(results)):
        out.print(Text(line), soft_wrap=True)


def _end(found: "Delivery", problems: Sequence[str], answer: Answer | None, about: Mapping[str, Any]) -> None:
    """Print the document where one is wanted, and end with exit code 1 where something must be looked at.

    Args:
        answer: prints the document; None: none is wanted.
        about: what the document says beside the delivery.
    """
    violation = ["the verdict on the delivered model is a violation"] if found.verdict == "violation" else []
    said = [*problems, *violation]
    if said:
        stderr(f"Delivered, with {len(said)} problem(s):", *said)
    if answer is not None:
        answer({**about, "delivery": _document(found)}, exit_code=1 if said else 0, problems=said)
    elif said:
        raise typer.Exit(1)


def _document(found: "Delivery") -> dict[str, Any]:
    row, line, start = found.row, found.chosen.line, found.model.start
    return {
        "folder": str(found.folder),
        "new": found.new,
        "replaced": found.replaced and str(found.replaced.kept_in),
        "row": row.row,
        "why": found.chosen.why,
        "forget": row.forget,
        "forget_images": row.forget_images,
        "made_from": {"kind": start.kind, "fingerprint": start.fingerprint},
        "model": found.model.fingerprint,
        "verdict": found.verdict,
        "judgements": [
            {"criterion": one.criterion, "verdict": one.verdict, "because": one.because}
            for one in found.certificate.judgements
        ],
        "gap": row.gap,
        "ta": row.ta,
        "oracle_ta": row.oracle_ta,
        "seconds_unlearn": row.seconds_unlearn,
        "seconds_retrain": row.seconds_retrain,
        "of_the_setting": {"seeds": line.seeds, "gap": line.gap, "noise_floor": line.noise_floor},
        "notes": found.notes,
    }
