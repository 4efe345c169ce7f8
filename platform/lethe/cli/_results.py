"""Commands that ask the results, and keep them in order."""

import io
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from lethe.cli._common import (
    OneSpecification,
    OneStudy,
    Where,
    check_output,
    console,
    echo,
    errors_told,
    fail,
    stderr,
    write_output,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from lethe.results.render import TextFormat
    from lethe.storage.root import StorageRoot


def query(
    sql: Annotated[
        str | None, typer.Argument(help="A statement that reads tables, views and saved queries; none: a guide.")
    ] = None,
    results: Where = "results",
    form: Annotated[
        Literal["table", "csv", "json", "markdown", "latex", "parquet"],
        typer.Option("--format", help="How to write the answer; parquet needs --output."),
    ] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file for the answer.")] = None,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the query beside the results, to be read as a view.")
    ] = None,
    specification: OneSpecification = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="What the query may take, tables and answer with it, such as 4GB; else half of the machine's."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="What DuckDB may take for the answer.")] = 60,
) -> None:
    """Ask the results with SQL (DuckDB's dialect, read-only); without SQL, list what can be asked.

    The guide lists views, tables and their columns with units, and queries that have an answer in these results.

    Control characters in texts are written as escapes such as \\x1b, and in CSV a text that begins with =, +, - or @
    gets an apostrophe in front, so that no spreadsheet takes it for a formula; JSON and Parquet hold the exact text.

    Exit code 0: answered; 2: no answer, as told; 130: interrupted.
    """
    from lethe.results import Results
    from lethe.results.limits import address_space, half_of_memory, parse_memory
    from lethe.storage.root import StorageRoot

    if form == "parquet" and output is None:
        fail("--format parquet is for files: name one with --output")
    with errors_told():
        root = StorageRoot.at(results)
        if sql is None:
            if save or output or form != "table":
                fail('--save, --output and --format go with a query: give one, such as "from leaderboard"')
            _print_guide(root)
            return
        check_output(output, "answer.txt" if form == "table" else f"answer.{form}")
        asked = Results(root, specification=specification, memory=memory, timeout_s=timeout)
        try:
            with address_space(parse_memory(memory) if memory else half_of_memory()):
                answer = asked.query(sql)
                if save:
                    stderr(f'Kept as {asked.save(sql, save)}; ask it again with: lethe query "from {save}"')
                data = _written(answer, form)
        except MemoryError:
            fail("the answer takes more memory than it may: ask for less, or allow more with --memory")
        except KeyboardInterrupt:
            stderr("Interrupted: the query has no answer.")
            raise typer.Exit(130) from None
        if output:
            write_output(output, data)
        else:
            typer.echo(data, nl=False)


def leaderboard(results: Where = "results", study: OneStudy = None, specification: OneSpecification = None) -> None:
    """Print the confirmed table of every scenario, with intervals and the noise floor."""
    from lethe.report import earlier_tables, print_leaderboard
    from lethe.report import leaderboard as read
    from lethe.results import Store
    from lethe.storage.root import StorageRoot

    with errors_told():
        root = StorageRoot.at(results)
        boards = read(root, study, specification)
        earlier = [] if specification else earlier_tables(root, study, boards)
        if not boards:
            fail("\n".join(earlier) or _nothing_of(study, root, Store(root).studies(), "confirmed "))
        print_leaderboard(boards, console())
        stderr(*earlier)


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="A trial, a confirmation or an artifact, by its name.")],
    results: Where = "results",
) -> None:
    """Show all that is known of a trial, a confirmation or an artifact: where its numbers come from, what it cost."""
    from lethe.report import print_unit
    from lethe.storage.root import StorageRoot

    with errors_told():
        print_unit(StorageRoot.at(results), name, console())


def compact(results: Where = "results", study: OneStudy = None) -> None:
    """Put the many small files of each study into few large ones, which are read faster; a run does so by itself.

    A study that is being run is left to its run. Exit code 0: done; 1: something broken was set aside, as told.
    """
    from lethe.results import Store, copy_tables
    from lethe.results import compact as compact_study
    from lethe.storage.root import StorageRoot
    from lethe.storage.writer_lock import StudyHeldError, writing_study

    with errors_told():
        store = Store(StorageRoot.at(results))
        studies = store.studies()
        if not studies or (study and study not in studies):
            fail(_nothing_of(study, store.root, studies))
        told: list[str] = []
        for name in [study] if study else studies:
            try:
                with writing_study(store.root, name, on_lost=told.append):
                    told += compact_study(store, name)
                echo(f"{name}: compacted.")
            except StudyHeldError as error:
                echo(f"{name}: left to its run, {error.holder}.")
        if study is None:
            copy_tables(store)
        if told:
            stderr(*told)
            raise typer.Exit(1)


export = typer.Typer(help="Writes results for other programs.", no_args_is_help=True)


@export.command("optuna")
def export_optuna(
    storage: Annotated[str, typer.Argument(metavar="URL", help="An Optuna storage, such as sqlite:///optuna.db.")],
    results: Where = "results",
    study: OneStudy = None,
) -> None:
    """Write each search as an Optuna study into a storage that optuna-dashboard opens; what is there is left out."""
    from lethe.search import export as export_searches
    from lethe.storage.root import StorageRoot

    with errors_told():
        for exported in export_searches(StorageRoot.at(results), storage, study):
            unfit = f", {exported.unfit} of an early version left out" if exported.unfit else ""
            echo(f"{exported.name}: {exported.new} trials written, {exported.known} there already{unfit}")


def _written(answer: "pa.Table", form: "TextFormat | Literal['parquet']") -> bytes:
    """Write an answer out as a file has it."""
    if form != "parquet":
        from lethe.results.render import render

        return (render(answer, form) + "\n").encode()
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(answer, file)
    return file.getvalue()


def _nothing_of(study: str | None, root: "StorageRoot", studies: list[str], what: str = "") -> str:
    of = f" of study {study}" if study else ""
    return f"no {what}results{of} in {root}; studies there: {', '.join(studies) or 'none'}"


def _print_guide(root: "StorageRoot") -> None:
    from lethe.results.guide import examples, sources

    asked = examples(root)
    out = console()
    for source in sources(root):
        out.print(Text(f"{source.name}", style="bold"), Text(f"({source.kind})", style="dim"), Text(source.meaning))
        if source.columns:
            table = Table("column", "type", "unit", "meaning", box=SIMPLE_HEAD, pad_edge=False)
            for column in source.columns:
                table.add_row(*map(Text, (column.name, str(column.type), column.unit, column.meaning)))
            out.print(table)
    out.print(Text("Queries that have an answer here:", style="bold"))
    for sql in asked:
        out.print(Text(f'  lethe query "{sql}" --results {shlex.quote(root.address)}'), soft_wrap=True)
