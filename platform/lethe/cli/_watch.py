"""The command that shows results while they arrive."""

from typing import Annotated

import typer

from lethe.cli._common import OneStudy, Where, echo, errors_told


def watch(
    results: Where = "results",
    study: OneStudy = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on. Other machines need the token to reach any but this one.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for a free one.")] = 8787,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="LETHE_WATCH_TOKEN",
            help="Let in only who has it; wise on a machine that others use too. Made where --host is reached from "
            "elsewhere and none is given.",
        ),
    ] = None,
    images: Annotated[bool, typer.Option(help="Whether the page shows pictures of the forget samples.")] = True,
) -> None:
    """Serve the report page, which loads itself again as results arrive, until Ctrl-C; nothing is ever written.

    Nothing is encrypted either: to look from elsewhere, `ssh -L 8787:127.0.0.1:8787 HOST` beats an open port.
    """
    import signal

    from lethe.report.watch import LiveReport, ReportServer
    from lethe.storage.root import StorageRoot

    with errors_told():
        root = StorageRoot.at(results)
        with ReportServer(LiveReport(root, study, images=images), host, port, token) as server:
            signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
            try:
                echo(f"The report of {root}: {server.url}\nCtrl-C ends it.")
                server.serve()
            except KeyboardInterrupt:
                echo("No longer served.")
