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
    fail,
    reporting_errors,
    stderr,
    write_output,
)
from lethe.cli._json import Json, answering
from lethe.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from lethe.results import Results
    from lethe.results.render import TextFormat
    from lethe.storage.root import StorageRoot


def query(
    sql: Annotated[
        str | None,
        typer.Argument(help="One statement that reads tables, views and saved queries. Without it a guide is printed."),
    ] = None,
    results: Where = "results",
    form: Annotated[
        Literal["table", "csv", "json", "markdown", "latex", "parquet"],
        typer.Option("--format", help="Format of the answer. parquet needs --output."),
    ] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the answer to this file.")] = None,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the query with the results, as a view of this name.")
    ] = None,
    study: OneStudy = None,
    specification: OneSpecification = None,
    names: Annotated[
        bool,
        typer.Option(
            "--names",
            help="Let the query read `images` too, from the studies' own data: file, patient and class of each train "
            "image, by study, scenario and image as `predictions` has them. For those who may see them.",
        ),
    ] = False,
    memory: Annotated[
        str | None,
        typer.Option(help="Memory that the query may use, such as 4GB. Default: half of the machine's."),
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Time that the query may take.")] = 60,
) -> None:
    """Query the results with SQL.

    The dialect is DuckDB's, and nothing can be changed. Without SQL a guide is printed: views, tables, their columns
    with units, and queries that have an answer in these results.

    Control characters in texts are written as escapes such as \\x1b, and in CSV a text that begins with =, +, - or @
    has an apostrophe in front, so that no spreadsheet takes it for a formula. JSON and Parquet hold the exact text.

    Exit codes: 0: answered; 2: not answered (the message says why); 130: interrupted.
    """
    from lethe.results import Results, Store
    from lethe.results.limits import address_space, half_of_memory, parse_memory
    from lethe.storage.root import StorageRoot

    if form == "parquet" and output is None:
        fail("--format parquet is for files: name one with --output")
    with reporting_errors():
        root = StorageRoot.at(results)
        if sql is None:
            if save or output or names or form != "table":
                fail('--save, --output, --names and --format go with a query: give one, such as "from leaderboard"')
            _print_guide(root)
            return
        check_output(output, "answer.txt" if form == "table" else f"answer.{form}")
        if names and save:
            fail("--save keeps a query for all who read the results, and --names is for those who may see names")
        if study is not None and study not in (studies := Store(root).studies()):
            fail(_nothing_of(study, root, studies))
        asked = Results(root, study, specification, memory=memory, timeout_s=timeout)
        if names:
            _add_images(asked)
        try:
            with address_space(parse_memory(memory) if memory else half_of_memory()):
                answer = asked.query(sql)
                if save:
                    stderr(f'Kept as {asked.save(sql, save)}; ask it again with: lethe query "from {save}"')
                data = _written(answer, form)
                if names:
                    stderr("The answer can name files and patients: it is for those alone who may see these.")
        except MemoryError:
            fail("the answer takes more memory than it may: ask for less, or allow more with --memory")
        except KeyboardInterrupt:
            stderr("Interrupted: the query has no answer.")
            raise typer.Exit(130) from None
        if output:
            write_output(output, data)
        else:
            typer.echo(data, nl=False)


def _add_images(asked: "Results") -> None:
    from lethe.results.images import images_of

    asked.add_images(images_of(asked))


def leaderboard(
    results: Where = "results",
    study: OneStudy = None,
    specification: OneSpecification = None,
    as_json: Json = False,
) -> None:
    """Print the confirmed tables.

    Each scenario has one, with intervals and the noise floor.
    """
    from lethe.report import boards_document, earlier_tables, print_leaderboard
    from lethe.report import leaderboard as read
    from lethe.results import Store
    from lethe.storage.root import StorageRoot

    with answering("leaderboard", as_json=as_json) as answer:
        root = StorageRoot.at(results)
        boards = read(root, study, specification)
        earlier = [] if specification else earlier_tables(root, study, boards)
        if not boards:
            raise InputError("\n".join(earlier) or _nothing_of(study, root, Store(root).studies(), "confirmed "))
        if as_json:
            answer(boards_document(boards))
        else:
            print_leaderboard(boards, console())
        stderr(*earlier)


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="The id of a trial, a confirmation or an artifact.")],
    results: Where = "results",
) -> None:
    """Show everything about one trial, confirmation or artifact.

    That is its setting, its curve, what it was compared with, what it cost, and the versions that made it.
    """
    from lethe.report import print_unit
    from lethe.storage.root import StorageRoot

    with reporting_errors():
        print_unit(StorageRoot.at(results), name, console())


def compact(results: Where = "results", study: OneStudy = None) -> None:
    """Merge the small files of each study into few large ones.

    They are read faster then. A run does this itself, and a study that is running is left alone.

    Exit codes: 0: done; 1: done, and broken files were moved to quarantine (listed above).
    """
    from lethe.results import Store, copy_tables
    from lethe.results import compact as compact_study
    from lethe.storage.root import StorageRoot
    from lethe.storage.writer_lock import StudyHeldError, writing_study

    with reporting_errors():
        store = Store(StorageRoot.at(results))
        studies = store.studies()
        if not studies or (study and study not in studies):
            fail(_nothing_of(study, store.root, studies))
        problems: list[str] = []
        for name in [study] if study else studies:
            try:
                with writing_study(store.root, name, on_lost=problems.append):
                    problems += compact_study(store, name)
                echo(f"{name}: compacted.")
            except StudyHeldError as error:
                echo(f"{name}: left to its run, {error.holder}.")
        if study is None:
            copy_tables(store)
        if problems:
            stderr(*problems)
            raise typer.Exit(1)


export = typer.Typer(help="Write results for other programs.", no_args_is_help=True)


@export.command("optuna")
def export_optuna(
    storage: Annotated[str, typer.Argument(metavar="URL", help="An Optuna storage, such as sqlite:///optuna.db.")],
    results: Where = "results",
    study: OneStudy = None,
) -> None:
    """Write each search as an Optuna study.

    optuna-dashboard opens the storage. Trials that are in it already are not written again.
    """
    from lethe.search import export as export_searches
    from lethe.storage.root import StorageRoot

    with reporting_errors():
        for exported in export_searches(StorageRoot.at(results), storage, study):
            unfit = f", {exported.unfit} of an early version left out" if exported.unfit else ""
            trials = "1 trial" if exported.new == 1 else f"{exported.new} trials"
            echo(f"{exported.name}: {trials} written, {exported.known} there already{unfit}")


@export.command("settings")
def export_settings(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Only this study's settings. Default: all studies.")
    ] = None,
    results: Where = "results",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the settings to this file.")] = None,
) -> None:
    """Write the chosen settings as YAML that a study reads.

    One for each method and scenario, with where it is from and what it came to. A study takes its settings from the
    file by the key `settings`, or begins its searches with them by `search.start_from`.
    """
    from lethe.results import Store
    from lethe.results.settings import chosen_settings
    from lethe.storage.root import StorageRoot
    from lethe.study import write_settings

    with reporting_errors():
        check_output(output, "settings.yaml")
        root = StorageRoot.at(results)
        settings = chosen_settings(root, study)
        if not settings:
            fail(_nothing_of(study, root, Store(root).studies(), "chosen settings in the "))
        text = write_settings(settings, output.name if output else "settings.yaml")
        if output:
            write_output(output, text.encode())
        else:
            typer.echo(text, nl=False)


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
