"""The command that writes the report: a page for people, tables for a paper."""

from pathlib import Path
from typing import Annotated

import typer

from lethe.cli._common import (
    OneSpecification,
    OneStudy,
    Where,
    check_folder_of,
    check_output,
    echo,
    reporting_errors,
    write_output,
)
from lethe.errors import InputError


def report(
    results: Where = "results",
    study: OneStudy = None,
    specification: OneSpecification = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page to write. Default: report.html, or no page with --latex."),
    ] = None,
    latex: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the tables as LaTeX (booktabs) to this folder.")
    ] = None,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Whether the page shows the images that were to be forgotten.")
    ] = True,
    names: Annotated[
        bool,
        typer.Option("--names", help="Name the files and patients of these images, where the data has them."),
    ] = False,
) -> None:
    """Write the report.

    It is one HTML page that needs no network, or the tables as LaTeX.
    """
    from lethe.storage.root import StorageRoot

    with reporting_errors():
        root = StorageRoot.at(results)
        page_file = output or (Path("report.html") if latex is None else None)
        check_output(page_file, "report.html")
        if latex is not None:
            from lethe.report import write_latex

            _check_folder(latex)
            for path in write_latex(root, study, latex, specification):
                echo(f"{path}")
        if page_file is not None:
            from lethe.report.page import render_page

            page = render_page(root, study, specification=specification, images=images, names=names)
            write_output(page_file, page.html.encode())
            echo(f"{page_file}: {len(page.html) / 1e6:.1f} MB, self-contained")
            if page.images:
                held = "1 image that was" if page.images == 1 else f"{page.images} images that were"
                typer.echo(f"It holds {held} asked to be forgotten: share it with care, or use --no-images.")
            if names:
                typer.echo("It names their files and patients: it is for those alone who may see these.")


def _check_folder(folder: Path) -> None:
    """Check that a folder exists or can be made.

    Raises:
        InputError: a file has its name, or the folder around it is missing.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder for the tables")
    check_folder_of(folder)
