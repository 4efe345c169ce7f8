"""Commands for MedMNIST's sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lethe.cli._common import console, echo, fail, reporting_errors

data = typer.Typer(help="List, fetch and check MedMNIST's sets.", no_args_is_help=True)

SetName = Annotated[str, typer.Argument(metavar="NAME", help="MedMNIST's name of the set, such as bloodmnist.")]
Size = Annotated[int, typer.Option(help="Side length in pixels: 28, 64, 128 or 224.")]
Root = Annotated[Path | None, typer.Option(help="Folder of MedMNIST's files. Default: LETHE_DATA, else ~/.medmnist.")]


@data.command("list")
def data_list(root: Root = None) -> None:
    """List MedMNIST's sets.

    These are the sets that a study can name, and which of their files are on this machine.
    """
    from unlearning.data.catalogue import data_root, sets

    table = Table("name", "task", "classes", "channels", "train / val / test", "sizes", "here", box=SIMPLE_HEAD)
    for med_set in sets().values():
        samples = " / ".join(str(count) for count in med_set.samples.values())
        sizes = ", ".join(map(str, med_set.downloads))
        with reporting_errors():
            here = ", ".join(map(str, med_set.found(root)))
        classes = str(len(med_set.class_names))
        table.add_row(med_set.name, med_set.task, classes, str(med_set.channels), samples, sizes, here)
    out = console()
    out.print(table)
    out.print(Text(f"here: sizes found in {data_root(root)}, unchecked; `lethe data check NAME` checks one."))


@data.command("fetch")
def data_fetch(name: SetName, size: Size = 28, root: Root = None) -> None:
    """Download a set's file, if it is not here, and check it."""
    from unlearning.data.catalogue import fetch

    with reporting_errors():
        echo(f"{fetch(name, size, root)}")


@data.command("check")
def data_check(name: SetName, size: Size = 28, root: Root = None) -> None:
    """Check a set's file against MedMNIST's MD5.

    Exit codes: 0: it is the file; 2: it is missing, truncated or another file.
    """
    from unlearning.data.catalogue import check

    with reporting_errors():
        found = check(name, size, root)
        if found.verdict != "whole":
            fail(found.advice)
        echo(found.advice)
