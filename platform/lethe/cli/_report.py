"""The command that writes the report: a page for people, tables for a paper."""

from pathlib import Path
from typing import Annotated

import typer

from lethe.cli._common import OneSpecification, OneStudy, Where, errors_told


def report(
    results: Where = "results",
    study: OneStudy = None,
    specification: OneSpecification = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write; report.html if nothing is named.")
    ] = None,
    latex: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the tables as LaTeX (booktabs) into this folder.")
    ] = None,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Show the forget samples with their pictures.")
    ] = True,
) -> None:
    """Write the report: one HTML page that needs no network, or the tables as LaTeX."""
    from lethe.place import Place

    with errors_told():
        place = Place.at(results)
        if latex is not None:
            from lethe.report import write_latex

            for path in write_latex(place, study, latex, specification):
                typer.echo(f"{path}")
        if latex is None or output is not None:
            from lethe.report.page import render_page

            path = output or Path("report.html")
            page = render_page(place, study, specification=specification, images=images)
            Place.at(path.parent).write(path.name, page.html.encode())
            typer.echo(f"{path}: {len(page.html) / 1e6:.1f} MB, whole in itself")
            if page.images:
                held = "1 image that was" if page.images == 1 else f"{page.images} images that were"
                typer.echo(f"It holds {held} asked to be forgotten: hand it on with care, or use --no-images.")
