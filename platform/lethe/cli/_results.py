"""Commands that ask the results, and keep them in order."""

from typing import Annotated, Literal

import typer

from lethe.cli._common import OneStudy, Where, console, errors_told, fail


def query(
    sql: Annotated[
        str, typer.Argument(help="A statement that reads trials, epochs, confirmations, artifacts, columns.")
    ],
    results: Where = "results",
    form: Annotated[
        Literal["table", "csv", "json", "markdown"], typer.Option("--format", help="How to print.")
    ] = "table",
) -> None:
    """Ask the results with SQL (DuckDB's dialect, read-only). `FROM columns` tells what each column means."""
    from lethe.results import query as ask
    from lethe.results.render import render

    with errors_told():
        typer.echo(render(ask(sql, results), form))


def leaderboard(
    results: Where = "results",
    study: OneStudy = None,
) -> None:
    """Print the confirmed table of every question, with intervals and the noise floor."""
    from lethe.place import Place
    from lethe.report import leaderboard as read
    from lethe.report import print_leaderboard
    from lethe.results import Store

    with errors_told():
        place = Place.at(results)
        boards = read(place, study)
        if not boards:
            known = ", ".join(Store(place).studies()) or "none"
            fail(f"no confirmed results{f' of study {study}' if study else ''} in {place}; studies there: {known}")
        print_leaderboard(boards, console())
