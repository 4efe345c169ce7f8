"""The command that shows results while they arrive."""

from typing import Annotated

import typer

from lethe.cli._common import OneStudy, Where, echo, reporting_errors


def watch(
    results: Where = "results",
    study: OneStudy = None,
    host: Annotated[
        str,
        typer.Option(help="The address to listen on. With any other than the default, other machines need the token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8787,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="LETHE_WATCH_TOKEN",
            help="Show the page only with this token. Default: none on this machine alone, a random one with another "
            "--host.",
        ),
    ] = None,
    images: Annotated[bool, typer.Option(help="Whether the page shows the images that were to be forgotten.")] = True,
) -> None:
    """Serve the report page while results arrive.

    It shows how far runs are, and renews itself. Ctrl-C ends the server, and nothing is written. Nothing is encrypted
    either: to look from another machine, `ssh -L 8787:127.0.0.1:8787 HOST` is safer than an open port.
    """
    import signal

    from lethe.report.live import LiveReport, ReportServer
    from lethe.storage.root import StorageRoot

    with reporting_errors():
        root = StorageRoot.at(results)
        with ReportServer(LiveReport(root, study, images=images), host, port, token) as server:
            signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
            try:
                echo(f"The report of {root}: {server.url}\nCtrl-C ends it.")
                server.serve()
            except KeyboardInterrupt:
                echo("No longer served.")
